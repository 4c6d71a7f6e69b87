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
export { browserTabs, createTabGroup, hasBrowserTabs, soloTabs, type Tabs } from './tabs.ts'
