'use strict'

// The site of framework-races.js, and more pages, with @fastify/session.

const fastify = require('fastify')
const { AerospikeStore } = require('aerospike-session')
const { FastifyStore, renew, renewal } = require('aerospike-session/fastify')
const { siteConfig, siteIsOpen } = require('./fork-site')
const { Gates } = require('./gates')

const { options, plugin, renewing, isMade } = siteConfig()
const store = new (isMade ? FastifyStore : AerospikeStore)(options)
const gates = new Gates()
const app = fastify()
app.register(require('@fastify/cookie'))
app.register(require('@fastify/session'), {
  store,
  secret: 'only for tests, but of 32 characters',
  cookieName: 'sid',
  saveUninitialized: false,
  cookie: { secure: false, maxAge: 1_800_000 },
  ...plugin
})
if (renewing) app.register(renewal, renewing)

const answer = ({ session }) => {
  const { cookie, ...data } = session
  return data
}
app.get('/put', async request => {
  const { key, value, gate } = request.query
  await gates.pass(gate)
  request.session[key] = value
  return answer(request)
})
app.get('/take', async request => {
  delete request.session[request.query.key]
  return answer(request)
})
app.get('/session', async request => answer(request))
app.get('/twice', async request => {
  request.session.a = 1
  await request.session.save()
  request.session.b = 2
  return answer(request)
})
app.get('/reload', async request => {
  request.session.lost = 1
  await request.session.reload()
  request.session.kept = 1
  return answer(request)
})
app.get('/renew', async request => {
  const before = request.session
  const renewed = await renew(request, request.query.grace && { grace: Number(request.query.grace) })
  return { renewed, isNew: request.session !== before, ...answer(request) }
})
app.get('/watch', async request => {
  const { signal } = store.watch(request.session.sessionId)
  return new Promise(resolve => signal.addEventListener('abort', () => resolve({ reason: signal.reason })))
})
app.post('/login', async request => {
  await request.session.regenerate(request.query.keep.split(','))
  request.session.user = 'ada'
  return answer(request)
})
app.post('/spread', async request => {
  const old = { ...request.session }
  await request.session.regenerate()
  Object.assign(request.session, old, { user: 'ada' })
  return answer(request)
})
app.post('/logout', async request => {
  await request.session.destroy()
  return {}
})
app.setErrorHandler((error, request, reply) => reply.code(500).send({ code: error.code, message: error.message }))

app.listen({ port: 0, host: 'localhost' }).then(() => siteIsOpen(gates, store, app.server.address().port))
