export * from './convert.ts'
export * from './replica.ts'
