import { Hono } from 'hono'
import { serve } from '@hono/node-server'
import { sessionMiddleware } from 'hono-sessions'
import { HonoStore } from 'aerospike-session/hono'

const { AEROSPIKE_SET, NODE_ENV, PORT = 8080, SESSION_SECRET } = process.env

// Everyone can read this secret, so the app does not start with it in production.
const DEVELOPMENT_SECRET = 'a secret for development only: it is published'
const secret = SESSION_SECRET || DEVELOPMENT_SECRET
const isProduction = NODE_ENV === 'production'
if (isProduction && (secret === DEVELOPMENT_SECRET || secret.length < 32)) {
  throw new Error('In production, SESSION_SECRET must be set to at least 32 random characters, such as those of `openssl rand -hex 32`')
}

// The hosts come from AEROSPIKE_HOSTS; without it, localhost:3000.
const store = new HonoStore({ set: AEROSPIKE_SET })
const app = new Hono()
app.use(sessionMiddleware({
  store,
  encryptionKey: secret, // of the cookie
  sessionCookieName: 'sid',
  expireAfterSeconds: 30 * 60,
  cookieOptions: { httpOnly: true, sameSite: 'Lax', path: '/', secure: isProduction }
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
  // A new id at every login protects against session fixation.
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
