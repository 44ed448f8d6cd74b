'use strict'

// A chat with Socket.IO. A socket belongs to a session: it is disconnected when the session ends, in whichever process that happens.

const http = require('node:http')
const express = require('express')
const session = require('express-session')
const { Server } = require('socket.io')
const { AerospikeStore } = require('aerospike-session')

const { AEROSPIKE_SET, NODE_ENV, PORT = 8080, SESSION_SECRET } = process.env

// Everyone can read this secret, so the app does not start with it in production.
const DEVELOPMENT_SECRET = 'a secret for development only: it is published'
const secret = SESSION_SECRET || DEVELOPMENT_SECRET
const isProduction = NODE_ENV === 'production'
if (isProduction && (secret === DEVELOPMENT_SECRET || secret.length < 32)) {
  throw new Error('In production, SESSION_SECRET must be set to at least 32 random characters, such as those of `openssl rand -hex 32`')
}

// The hosts come from AEROSPIKE_HOSTS; without it, localhost:3000.
const store = new AerospikeStore({ set: AEROSPIKE_SET, user: 'user' })
const app = express()
if (isProduction) app.set('trust proxy', 'loopback, uniquelocal')
const sessions = session({
  store,
  name: 'sid',
  secret,
  resave: false,
  saveUninitialized: false,
  cookie: { httpOnly: true, sameSite: 'lax', secure: isProduction, maxAge: 30 * 60 * 1000 }
})
app.use(sessions)

/** @param {any} req */
const answer = req => ({ user: req.session?.user ?? null, visits: req.session?.visits ?? 0 })

app.get('/', (/** @type {any} */ req, res) => {
  req.session.visits = (req.session.visits ?? 0) + 1
  res.json(answer(req))
})

app.post('/login', (/** @type {any} */ req, res, next) => {
  const { name } = req.query
  if (typeof name !== 'string' || name === '') return res.status(400).json({ error: 'a name is missing' })
  req.session.regenerate((/** @type {any} */ error) => {
    if (error) return next(error)
    req.session.user = name
    res.json(answer(req))
  })
})

app.post('/logout', (req, res, next) => {
  req.session.destroy(error => error ? next(error) : res.json(answer(req)))
})

app.post('/logout-everywhere', async (/** @type {any} */ req, res) => {
  const ended = req.session.user === undefined ? 0 : await store.destroyOf(req.session.user)
  res.json({ ended })
})

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
