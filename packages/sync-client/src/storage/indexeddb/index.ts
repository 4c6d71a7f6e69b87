export { openIndexedDbStorage, type IndexedDbStorageOptions } from './indexeddb-storage.ts'
export * as localdb from './localdb.ts'
