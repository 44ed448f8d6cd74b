'use strict'

const fastify = require('fastify')
const cookie = require('@fastify/cookie')
const session = require('@fastify/session')
const { FastifyStore } = require('aerospike-session/fastify')

const { AEROSPIKE_SET, NODE_ENV, PORT = 8080, SESSION_SECRET } = process.env

// Everyone can read this secret, so the app does not start with it in production.
const DEVELOPMENT_SECRET = 'a secret for development only: it is published'
const secret = SESSION_SECRET || DEVELOPMENT_SECRET
const isProduction = NODE_ENV === 'production'
if (isProduction && (secret === DEVELOPMENT_SECRET || secret.length < 32)) {
  throw new Error('In production, SESSION_SECRET must be set to at least 32 random characters, such as those of `openssl rand -hex 32`')
}

// The hosts come from AEROSPIKE_HOSTS; without it, localhost:3000.
const store = new FastifyStore({ set: AEROSPIKE_SET })
// In production a proxy terminates TLS. Its X-Forwarded-Proto is trusted if it connects from this machine or a private network.
const app = fastify({ trustProxy: isProduction ? 'loopback, uniquelocal' : false })
app.register(cookie)
app.register(session, {
  store,
  secret,
  cookieName: 'sid',
  saveUninitialized: false,
  cookie: { httpOnly: true, sameSite: 'lax', secure: isProduction, maxAge: 30 * 60 * 1000 }
})

/** @param {any} session */
const answer = session => ({ user: session?.user ?? null, visits: session?.visits ?? 0 })

app.get('/', async request => {
  const session = /** @type {any} */ (request.session)
  session.visits = (session.visits ?? 0) + 1
  return answer(session)
})

app.post('/login', async request => {
  // A new id at every login protects against session fixation.
  await request.session.regenerate()
  const session = /** @type {any} */ (request.session)
  session.user = /** @type {any} */ (request.query).name
  return answer(session)
})

app.post('/logout', async (request, reply) => {
  await request.session.destroy()
  reply.clearCookie('sid', { path: '/' })
  return answer(null)
})

app.addHook('onClose', () => store.close())

app.listen({ port: Number(PORT), host: 'localhost' }).then(address => {
  console.log(`Listening on ${address}`)
})
process.once('SIGTERM', () => app.close())
