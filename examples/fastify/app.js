'use strict'

const fastify = require('fastify')
const cookie = require('@fastify/cookie')
const session = require('@fastify/session')
const { FastifyStore } = require('aerospike-session/fastify')

const { AEROSPIKE_SET, PORT = 8080, SESSION_SECRET = 'a secret of 32 characters or more' } = process.env

// The hosts come from AEROSPIKE_HOSTS; without it, localhost:3000.
const store = new FastifyStore({ set: AEROSPIKE_SET })
const app = fastify()
app.register(cookie)
app.register(session, {
  store,
  secret: SESSION_SECRET,
  cookieName: 'sid',
  saveUninitialized: false,
  cookie: { secure: 'auto', sameSite: 'lax', maxAge: 30 * 60 * 1000 }
})

/** @param {any} session */
const answer = session => ({ user: session?.user ?? null, visits: session?.visits ?? 0 })

app.get('/', async request => {
  const session = /** @type {any} */ (request.session)
  session.visits = (session.visits ?? 0) + 1
  return answer(session)
})

app.post('/login', async request => {
  // A new id at every login: one that somebody planted in the browser before is worth nothing.
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
