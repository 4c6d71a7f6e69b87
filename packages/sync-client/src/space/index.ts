export { openTabSpace, type TabSpace } from './tab-space.ts'
