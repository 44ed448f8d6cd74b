'use strict'

// Two session() middlewares of one app that share a store.

const session = require('express-session')
const {
  DAY, MERGING, Tab, barrier, digest, gate, logout, open, pages, range, storedData
} = require('../support/parallel-requests')
const { freshSet, openStore } = require('../support/server')

describe.each(MERGING)('two session() middlewares on one store that keeps sessions %s', (_, options) => {
  test('keep their sessions separate, lose no change and restore no destroyed session', async () => {
    const set = freshSet()
    const store = openStore({ set, ...options })
    const site = await open(store, { name: 'shop.sid', cookie: { path: '/shop', maxAge: DAY } }, app => {
      app.use(session({ secret: 'another', resave: false, saveUninitialized: false, store, name: 'admin.sid', cookie: { path: '/admin', maxAge: DAY } }))
      pages(app)
    })
    const visitor = new Tab(site)
    const sids = {}
    for (const section of ['shop', 'admin']) {
      sids[section] = (await visitor.ask(req => { req.session.section = section; return req.sessionID }, `/${section}`)).body
    }
    expect([...visitor.cookies.keys()].sort()).toStrictEqual(['admin.sid', 'shop.sid'])
    expect(await store.length()).toBe(2)

    const allArrived = barrier(20)
    await Promise.all(range(20).map(n => visitor.beside().ask(async req => {
      await allArrived()
      req.session[`k${n}`] = n
    }, n % 2 === 0 ? '/shop' : '/admin')))
    const expected = rest => Object.fromEntries(range(20).filter(n => n % 2 === rest).map(n => [`k${n}`, n]))
    expect(await storedData(store, sids.shop)).toStrictEqual({ section: 'shop', ...expected(0) })
    expect(await storedData(store, sids.admin)).toStrictEqual({ section: 'admin', ...expected(1) })

    const allReady = barrier(3)
    const [at, to] = [gate(), '/admin']
    const slow = visitor.ask(async req => { await allReady(); await at.opened; req.session.late = 1 }, to)
    await Promise.all([
      visitor.ask(async req => { await allReady(); await logout(req) }, to),
      visitor.ask(async req => { await allReady(); req.session.bought = 1 }, '/shop')
    ])
    at.open()
    expect((await slow).status).toBe(200)
    expect(await storedData(store, sids.admin)).toBeNull()
    expect(await storedData(store, sids.shop)).toStrictEqual({ section: 'shop', ...expected(0), bought: 1 })
    expect(site.gone).toStrictEqual([{ digest: digest(set, sids.admin) }])
  })
})
