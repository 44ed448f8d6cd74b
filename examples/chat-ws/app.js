'use strict'

// A chat over web sockets. A socket belongs to a session: it closes when the session ends, in whichever process that happens.

const http = require('node:http')
const express = require('express')
const session = require('express-session')
const { WebSocketServer } = require('ws')
const { AerospikeStore } = require('aerospike-session')

const { AEROSPIKE_SET, NODE_ENV, PORT = 8080, SESSION_SECRET } = process.env

// Everyone can read this secret, so the app does not start with it in production.
const DEVELOPMENT_SECRET = 'a secret for development only: it is published'
const secret = SESSION_SECRET || DEVELOPMENT_SECRET
const isProduction = NODE_ENV === 'production'
if (isProduction && (secret === DEVELOPMENT_SECRET || secret.length < 32)) {
  throw new Error('In production, SESSION_SECRET must be set to at least 32 random characters, such as those of `openssl rand -hex 32`')
}

/** The code of a close frame: from 4000 on, applications define them. */
const SESSION_ENDED = 4_001

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
  // With `sameSite`, browsers send no cookie with web sockets that other sites open.
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
