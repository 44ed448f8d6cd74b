'use strict'

// The pages of framework-renewals.js with koa-session.

const Koa = require('koa')
const { createSession } = require('koa-session')
const { KoaStore, renew, renewal } = require('aerospike-session/koa')
const { siteConfig, siteIsOpen } = require('./fork-site')
const { Gates } = require('./gates')

const { options, plugin, renewing } = siteConfig()
const store = new KoaStore(options)
const gates = new Gates()
const app = new Koa()
app.keys = ['only for tests']
app.use(createSession({ store, key: 'sid', maxAge: 1_800_000, ...plugin }, app))
if (renewing) app.use(renewal(renewing))

const PAGES = {
  async '/put' (ctx) {
    const { key, value, gate } = ctx.query
    await gates.pass(gate)
    ctx.session[key] = value
  },
  '/session' () {},
  async '/renew' (ctx) {
    const { grace } = ctx.query
    const before = ctx.session.externalKey
    const renewed = await renew(ctx, grace && { grace: Number(grace) })
    return { renewed, isNew: ctx.session.externalKey !== before }
  },
  '/watch' (ctx) {
    const { signal } = store.store.watch(ctx.session.externalKey)
    return new Promise(resolve => signal.addEventListener('abort', () => resolve({ reason: signal.reason })))
  },
  '/logout' (ctx) { ctx.session = null }
}
app.use(async ctx => {
  const more = await PAGES[ctx.path](ctx)
  ctx.body = { ...more, ...ctx.session?.toJSON() }
})
app.on('error', () => {})

const server = app.listen(0, 'localhost', () => siteIsOpen(gates, store.store, server.address().port))
