import { automerge } from './automerge.ts'
import { hocuspocus } from './hocuspocus.ts'
import type { Peer } from './peer.ts'
import { keepingRelay, socketIoRelay, threadedRelay, wsRelay } from './relays.ts'
import { t69Bare } from './t69-bare.ts'
import { t69 } from './t69.ts'
import { tinybase } from './tinybase.ts'
import { yWebsocket } from './y-websocket.ts'

export const peers: readonly Peer[] = [
  t69,
  t69Bare,
  hocuspocus,
  yWebsocket,
  automerge,
  tinybase,
  wsRelay,
  socketIoRelay,
  keepingRelay,
  threadedRelay,
]
