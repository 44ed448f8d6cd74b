'use strict'

// Renewals of session ids over HTTP: no request loses its session or its changes, whichever id it comes with, and a logout ends
// both ids.

const crypto = require('node:crypto')
const { setTimeout: pass } = require('node:timers/promises')
const session = require('express-session')
const { renew, renewal } = require('../..')
const { OfficialClient } = require('../support/official-client')
const { nodeReason } = require('../support/official')
const {
  DAY, Tab, VIEWS, askAll, barrier, digest, gate, logout, open, pages, pausedRequest, range, storedData, twoProcesses
} = require('../support/parallel-requests')
const { freshSet, hosts, openStore } = require('../support/server')
const { everythingIn, open: decrypt } = require('../support/record')

const KEY = crypto.randomBytes(32)
const ID = req => req.sessionID
const renewed = async req => [await renew(req), req.sessionID]

describe.each(VIEWS)('a session kept %s', (_, options) => {
  const pair = twoProcesses(options)

  test('has a new id after a renewal, and the old one leads to it', async () => {
    const { store, visitor, sites: [, other] } = pair
    const old = await visitor.login({ user: 'ada', cart: [1] })
    const late = visitor.copy(other)
    const { body: [done, id] } = await visitor.ask(renewed)
    expect(done).toBe(true)
    expect(id).not.toBe(old)
    expect((await visitor.ask(ID)).body).toBe(id)
    expect((await late.ask(req => [req.sessionID, req.session.user])).body).toStrictEqual([old, 'ada'])
    // The response to the old id does not change the cookie.
    expect((await late.ask(ID)).body).toBe(old)
    await late.ask(req => { req.session.late = 1 })
    await visitor.ask(req => { req.session.cart.push(2) })
    await late.ask(req => { delete req.session.user })
    const expected = { cart: [1, 2], late: 1 }
    expect(await storedData(store, id)).toStrictEqual(expected)
    expect(await storedData(store, old)).toStrictEqual(expected)
    expect(await store.length()).toBe(1)
    expect((await store.all()).map(({ late }) => late)).toStrictEqual([1])
    await store.clear()
  })

  test('keeps the changes of requests that have loaded it before the renewal', async () => {
    const { store, visitor, sites: [, other] } = pair
    const old = await visitor.login({ user: 'ada', a: 0, b: 0, c: 0 })
    const slow = await pausedRequest(visitor.copy(other), async (req, pass) => { req.session.a = 1; await pass() })
    const reading = await pausedRequest(visitor.copy(), async (req, pass) => { await pass(); return req.session.user })
    await visitor.copy(other).ask(req => { req.session.b = 1 })
    const { body: [done, id] } = await visitor.ask(async req => {
      req.session.c = 1
      return renewed(req)
    })
    expect(done).toBe(true)
    expect((await slow.finish()).status).toBe(200)
    expect((await reading.finish()).body).toBe('ada')
    const merged = options.conflict === 'overwrite' ? { a: 1, b: 0, c: 0 } : { a: 1, b: 1, c: 1 }
    expect(await storedData(store, id)).toStrictEqual({ user: 'ada', ...merged })
    expect(await storedData(store, old)).toStrictEqual({ user: 'ada', ...merged })
    await store.clear()
  })

  test('merges what others have changed while the request ran that renews it', async () => {
    const { store, visitor, sites: [, other] } = pair
    const old = await visitor.login({ user: 'ada', a: 0, b: 0 })
    const slow = await pausedRequest(visitor, async (req, pass) => {
      req.session.a = 1
      await pass()
      return renewed(req)
    })
    await visitor.copy(other).ask(req => { req.session.b = 1; req.session.added = 1 })
    const { body: [done, id] } = await slow.finish()
    expect(done).toBe(true)
    expect(await storedData(store, id)).toStrictEqual({ user: 'ada', a: 1, b: 1, added: 1 })
    expect(await storedData(store, old)).toStrictEqual({ user: 'ada', a: 1, b: 1, added: 1 })
    await store.clear()
  })

  test.each([['old', 'copy'], ['new', 'beside']])('ends with a logout through the %s id', async (_, which) => {
    const { store, visitor, sites: [, other] } = pair
    const old = await visitor.login()
    const tabs = { copy: visitor.copy(other), beside: visitor.beside(other) }
    const { body: [, id] } = await visitor.ask(renewed)
    const slow = await pausedRequest(visitor.copy(), async (req, pass) => { req.session.slow = 1; await pass() })
    expect((await tabs[which].ask(logout)).status).toBe(200)
    expect(await store.get(id)).toBeNull()
    expect(await store.get(old)).toBeNull()
    await slow.finish()
    expect(await store.get(id)).toBeNull()
    expect(await store.length()).toBe(0)
    expect(pair.sites.flatMap(({ gone }) => gone)).toHaveLength(1)
  })

  test('is renewed once by two requests at once', async () => {
    const { store, sites, visitor } = pair
    const old = await visitor.login({ user: 'ada' })
    const allArrived = barrier(10)
    const tabs = range(10).map(n => visitor.copy(sites[n % 2]))
    const answers = await askAll(tabs, async (req, n) => {
      await allArrived()
      req.session[`k${n}`] = n
      return renewed(req)
    })
    expect(answers.map(({ status }) => status)).toStrictEqual(range(10).map(() => 200))
    const winners = answers.filter(({ body: [done] }) => done)
    expect(winners).toHaveLength(1)
    const [{ body: [, id] }] = winners
    for (const { body: [done, other] } of answers) expect(other).toBe(done ? id : old)
    const found = await storedData(store, id)
    expect(await storedData(store, old)).toStrictEqual(found)
    if (options.conflict !== 'overwrite') expect(found).toStrictEqual({ user: 'ada', ...Object.fromEntries(range(10).map(n => [`k${n}`, n])) })
    expect(await store.length()).toBe(1)
    await store.clear()
  })

  test('has nothing under the old id after the grace period, and the browser stays logged in', async () => {
    const { store, visitor } = pair
    const old = await visitor.login({ user: 'ada' })
    const before = visitor.copy()
    await visitor.ask(req => renew(req, { grace: 0.3 }))
    expect((await before.ask(req => req.session.user)).body).toBe('ada')
    await pass(400)
    expect((await visitor.ask(req => req.session.user)).body).toBe('ada')
    expect((await before.ask(req => req.session.user ?? null)).body).toBeNull()
    expect(await store.get(old)).toBeNull()
    expect(await store.length()).toBe(1)
    await store.clear()
  })
})

module.exports = { DAY, Tab, decrypt, digest, everythingIn, freshSet, gate, hosts, open, openStore, pages, renewal, session, KEY, OfficialClient, nodeReason }
