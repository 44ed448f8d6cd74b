'use strict'

const Koa = require('koa')
const { createSession } = require('koa-session')
const { KoaStore } = require('aerospike-session/koa')

const { AEROSPIKE_SET, PORT = 8080, SESSION_SECRET = 'a secret for development only' } = process.env

// The hosts come from AEROSPIKE_HOSTS; without it, localhost:3000.
const store = new KoaStore({ set: AEROSPIKE_SET })
const app = new Koa()
app.keys = [SESSION_SECRET]
app.use(createSession({ store, key: 'sid', maxAge: 30 * 60 * 1000, rolling: true, sameSite: 'lax' }, app))

app.use(async ctx => {
  switch (`${ctx.method} ${ctx.path}`) {
    case 'GET /':
      ctx.session.visits = (ctx.session.visits ?? 0) + 1
      break
    case 'POST /login':
      ctx.session = { user: ctx.query.name }
      // A new id at every login: one that somebody planted in the browser before is worth nothing.
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
