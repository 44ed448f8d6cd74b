'use strict'

const Koa = require('koa')
const { createSession } = require('koa-session')
const { KoaStore } = require('aerospike-session/koa')

const { AEROSPIKE_SET, NODE_ENV, PORT = 8080, SESSION_SECRET } = process.env

// Everyone can read this secret, so the app does not start with it in production.
const DEVELOPMENT_SECRET = 'a secret for development only: it is published'
const secret = SESSION_SECRET || DEVELOPMENT_SECRET
const isProduction = NODE_ENV === 'production'
if (isProduction && (secret === DEVELOPMENT_SECRET || secret.length < 32)) {
  throw new Error('In production, SESSION_SECRET must be set to at least 32 random characters, such as those of `openssl rand -hex 32`')
}

// The hosts come from AEROSPIKE_HOSTS; without it, localhost:3000.
const store = new KoaStore({ set: AEROSPIKE_SET })
const app = new Koa()
// In production a proxy terminates TLS. Koa then trusts every client's X-Forwarded-Proto: only the proxy may reach this app.
app.proxy = isProduction
app.keys = [secret]
app.use(createSession({
  store,
  key: 'sid',
  maxAge: 30 * 60 * 1000,
  rolling: true,
  httpOnly: true,
  sameSite: 'lax',
  secure: isProduction
}, app))

app.use(async ctx => {
  switch (`${ctx.method} ${ctx.path}`) {
    case 'GET /':
      ctx.session.visits = (ctx.session.visits ?? 0) + 1
      break
    case 'POST /login':
      ctx.session = { user: ctx.query.name }
      // A new id at every login protects against session fixation.
      await ctx.session.regenerate()
      break
    case 'POST /logout':
      ctx.session = null
      break
    default:
      return
  }
  ctx.body = { user: ctx.session?.user ?? null, visits: ctx.session?.visits ?? 0 }
})

const server = app.listen(Number(PORT), () => {
  const { port } = server.address()
  console.log(`Listening on http://localhost:${port}`)
})
process.once('SIGTERM', () => server.close(() => store.close()))
