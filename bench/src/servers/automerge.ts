import { createServer } from 'node:http'

import { type PeerId, Repo } from '@automerge/automerge-repo'
import { WebSocketServerAdapter } from '@automerge/automerge-repo-network-websocket'
import { NodeFSStorageAdapter } from '@automerge/automerge-repo-storage-nodefs'
import { WebSocketServer } from 'ws'

const [port, folder] = process.argv.slice(2)

// As the project's own sync server does it: what is asked for is given, and nothing is offered.
const http = createServer((_request, response) => response.end('ok'))
const repo = new Repo({
  network: [new WebSocketServerAdapter(new WebSocketServer({ server: http }))],
  storage: new NodeFSStorageAdapter(String(folder)),
  peerId: 'server' as PeerId,
  sharePolicy: async () => false,
})
http.listen(Number(port), '127.0.0.1')
process.on('SIGTERM', () => void repo.shutdown().then(() => process.exit()))
