export { browserTabs, hasBrowserTabs } from './browser-tabs.ts'
export { createLeaderWatch } from './leader-watch.ts'
export { oneTabAtATime } from './one-tab-at-a-time.ts'
export {
  concernsLeader,
  concernsSpaces,
  concernsTab,
  createTabLine,
  type LeaderMessage,
  type OwnTabMessage,
  type SpaceMessage,
  type TabMessage,
  type Tell,
} from './tab-messages.ts'
export { createTabGroup } from './tab-group.ts'
export { soloTabs, type Tabs } from './tabs.ts'
