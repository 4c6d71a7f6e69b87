export { openTabSpace, type TabSpace, type TabSpaceDeps } from './tab-space.ts'
