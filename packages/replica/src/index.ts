export * from './convert.ts'
export * from './deletions.ts'
export * from './replica.ts'
export * from './watch-deletions.ts'
