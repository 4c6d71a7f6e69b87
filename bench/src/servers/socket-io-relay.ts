import { createServer } from 'node:http'

import { Server } from 'socket.io'

const http = createServer((_request, response) => response.end('ok'))
new Server(http).on('connection', (socket) =>
  socket.on('edit', (edit) => void socket.broadcast.emit('edit', edit)),
)
http.listen(Number(process.argv[2]), '127.0.0.1')
