'use strict'

// A chat with Socket.IO. A socket belongs to a session: it is disconnected when the session ends, in whichever process that happens.

const http = require('node:http')
const { Server } = require('socket.io')
const { app, sessions, store } = require('../chat-login')

const { PORT = 8080 } = process.env

const server = http.createServer(app)
const io = new Server(server, { maxHttpBufferSize: 4_096 })

// Runs for each HTTP request of Socket.IO, but only a handshake needs the session.
io.engine.use((/** @type {any} */ req, /** @type {any} */ res, /** @type {any} */ next) => {
  if (req._query.sid === undefined) sessions(req, res, next)
  else next()
})
io.use((socket, next) => {
  const { session } = /** @type {any} */ (socket.request)
  next(session?.user === undefined ? new Error('unauthorized') : undefined)
})

io.on('connection', socket => {
  const { session, sessionID } = /** @type {any} */ (socket.request)
  const { user } = session
  // The session lives on while its socket is connected.
  const { signal, stop } = store.watch(sessionID, { touch: true })
  signal.addEventListener('abort', () => {
    socket.emit('session ended', signal.reason)
    socket.disconnect(true)
  })
  socket.on('disconnect', stop)
  socket.on('message', text => {
    if (typeof text === 'string' && !signal.aborted) io.emit('message', { user, text })
  })
  socket.emit('message', { user, text: 'has joined' })
})

server.listen(Number(PORT), () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  console.log(`Listening on http://localhost:${port}`)
})
process.once('SIGTERM', () => io.close(() => store.close()))
