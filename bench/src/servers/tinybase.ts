import { createServer } from 'node:http'
import { join } from 'node:path'

import { createMergeableStore } from 'tinybase'
import { createFilePersister } from 'tinybase/persisters/persister-file'
import { createWsServer } from 'tinybase/synchronizers/synchronizer-ws-server'
import { WebSocketServer } from 'ws'

const [port, folder] = process.argv.slice(2)

const http = createServer((_request, response) => response.end('ok'))
createWsServer(new WebSocketServer({ server: http }), (path) =>
  createFilePersister(createMergeableStore(), join(String(folder), `${path}.json`)),
)
http.listen(Number(port), '127.0.0.1')
