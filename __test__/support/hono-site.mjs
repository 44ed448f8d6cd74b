// The site of framework-races.js with hono-sessions, in a process of its own: what that depends on is for ES modules
// alone, and jest loads none. The test tells it by messages to open a gate, and hears by them who arrived at one.

import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { sessionMiddleware } from 'hono-sessions'
import { HonoStore } from 'aerospike-session/hono'
import gates from './gates.js'

const { options, middleware } = JSON.parse(process.env.SITE)
if (options.encryptionKeys) options.encryptionKeys = options.encryptionKeys.map(key => Buffer.from(key))

const store = new HonoStore(options)
const site = new gates.Gates()
const app = new Hono()
app.use(sessionMiddleware({ store, sessionCookieName: 'sid', ...middleware }))

const answer = c => {
  const { _data } = c.get('session').getCache()
  return c.json(Object.fromEntries(Object.entries(_data).map(([key, { value }]) => [key, value])))
}

app.get('/put', async c => {
  const { key, value, gate, flash } = c.req.query()
  await site.pass(gate)
  c.get('session')[flash ? 'flash' : 'set'](key, value)
  return answer(c)
})
app.get('/take', c => {
  c.get('session').forget(c.req.query('key'))
  return answer(c)
})
app.get('/read', c => c.json(c.get('session').get(c.req.query('key'))))
app.get('/session', answer)
app.get('/expire', c => c.json(c.get('session').getCache()._expire))
app.post('/rotate', c => {
  c.set('session_key_rotation', true)
  return answer(c)
})
app.post('/logout', c => {
  c.get('session').deleteSession()
  return c.json({})
})

store.store.on('gone', event => process.send({ gone: event }))
process.on('message', ({ open, await: name }) => {
  if (open !== undefined) site.open(open)
  if (name !== undefined) site.arrived(name).then(() => process.send({ arrived: name }))
})

serve({ fetch: app.fetch, port: 0 }, ({ port }) => process.send({ port }))
