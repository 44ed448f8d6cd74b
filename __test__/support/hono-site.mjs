// The site of framework-races.js, and more pages, with hono-sessions.

import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { sessionMiddleware } from 'hono-sessions'
import { HonoStore } from 'aerospike-session/hono'
import forked from './fork-site.js'
import gates from './gates.js'

const { options, middleware } = forked.siteConfig()
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

app.onError((error, c) => c.json({ code: error.code }, 500))

serve({ fetch: app.fetch, port: 0 }, ({ port }) => forked.siteIsOpen(site, store.store, port))
