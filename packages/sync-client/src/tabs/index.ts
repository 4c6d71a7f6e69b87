export { createLeaderWatch } from './leader-watch.ts'
export { oneTabAtATime } from './one-tab-at-a-time.ts'
export { createTabLine, type TabMessage } from './tab-messages.ts'
export { browserTabs, createTabGroup, hasBrowserTabs, soloTabs, type Tabs } from './tabs.ts'
