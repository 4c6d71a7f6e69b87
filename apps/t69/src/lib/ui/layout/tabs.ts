/** What is needed once there are several tabs or panes. Loaded then: the first screen of most people has neither. */
export { default as PaneEdge } from './PaneEdge.svelte'
export { TabDrag } from './tab-drag.svelte.ts'
export { default as TabStrip } from './TabStrip.svelte'
