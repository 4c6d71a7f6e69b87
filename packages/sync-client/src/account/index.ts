export { createAccount, type AccessToken, type Account } from './account.ts'
export { createHttp, noReply, type ReplySchema } from './http.ts'
export { createSpaceDirectory, type SpaceDirectory } from './space-directory.ts'
