'use strict'

// A chat over web sockets. A socket belongs to a session: it closes when the session ends, in whichever process that happens.

const http = require('node:http')
const { WebSocketServer } = require('ws')
const { app, sessions, store } = require('../chat-login')

const { PORT = 8080 } = process.env

/** The code of a close frame: from 4000 on, applications define them. */
const SESSION_ENDED = 4_001

const server = http.createServer(app)
const sockets = new WebSocketServer({ noServer: true, maxPayload: 4_096 })

server.on('upgrade', (/** @type {any} */ req, socket, head) => {
  socket.on('error', () => socket.destroy())
  // express-session sets no cookie here: there is no response to set it with.
  const response = /** @type {any} */ (new http.ServerResponse(req))
  sessions(req, response, error => {
    if (error || req.session?.user === undefined) {
      socket.end(`HTTP/1.1 ${error ? '503 Service Unavailable' : '401 Unauthorized'}\r\nConnection: close\r\n\r\n`)
      return
    }
    sockets.handleUpgrade(req, socket, head, webSocket => join(webSocket, req))
  })
})

/**
 * @param {import('ws').WebSocket} socket
 * @param {any} req
 */
function join (socket, req) {
  const { user } = req.session
  // The session lives on while its socket is open.
  const { signal, stop } = store.watch(req.sessionID, { touch: true })
  signal.addEventListener('abort', () => socket.close(SESSION_ENDED, signal.reason))
  socket.on('close', stop)
  socket.on('error', () => socket.terminate())
  socket.on('message', message => {
    if (signal.aborted) return
    const text = JSON.stringify({ user, text: String(message) })
    for (const other of sockets.clients) other.send(text)
  })
  socket.send(JSON.stringify({ user, text: 'has joined' }))
}

server.listen(Number(PORT), () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  console.log(`Listening on http://localhost:${port}`)
})
process.once('SIGTERM', () => {
  server.close(() => store.close())
  for (const socket of sockets.clients) socket.close(1_001)
})
