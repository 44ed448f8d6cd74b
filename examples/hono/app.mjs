import { Hono } from 'hono'
import { serve } from '@hono/node-server'
import { sessionMiddleware } from 'hono-sessions'
import { HonoStore } from 'aerospike-session/hono'

const { AEROSPIKE_SET, PORT = 8080, SESSION_SECRET = 'a secret of 32 characters or more' } = process.env

// The hosts come from AEROSPIKE_HOSTS; without it, localhost:3000.
const store = new HonoStore({ set: AEROSPIKE_SET })
const app = new Hono()
app.use(sessionMiddleware({
  store,
  encryptionKey: SESSION_SECRET, // of the cookie
  sessionCookieName: 'sid',
  expireAfterSeconds: 30 * 60,
  cookieOptions: { httpOnly: true, sameSite: 'Lax', path: '/' }
}))

const answer = c => {
  const session = c.get('session')
  return c.json({ user: session.get('user'), visits: session.get('visits') ?? 0 })
}

app.get('/', c => {
  const session = c.get('session')
  session.set('visits', (session.get('visits') ?? 0) + 1)
  return answer(c)
})

app.post('/login', c => {
  c.get('session').set('user', c.req.query('name'))
  c.get('session').forget('visits')
  // A new id at every login: one that somebody planted in the browser before is worth nothing.
  c.set('session_key_rotation', true)
  return answer(c)
})

app.post('/logout', c => {
  c.get('session').deleteSession()
  return c.json({ user: null, visits: 0 })
})

const server = serve({ fetch: app.fetch, port: Number(PORT) }, ({ port }) => {
  console.log(`Listening on http://localhost:${port}`)
})
process.once('SIGTERM', () => server.close(() => store.close()))
