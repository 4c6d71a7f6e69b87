import { createServer } from 'node:http'

import { WebSocketServer } from 'ws'

const http = createServer((_request, response) => response.end('ok'))
const sockets = new WebSocketServer({ server: http })
sockets.on('connection', (socket) =>
  socket.on('message', (data) => {
    for (const other of sockets.clients) if (other !== socket) other.send((data as Buffer).toString())
  }),
)
http.listen(Number(process.argv[2]), '127.0.0.1')
