'use strict'

// Renewals of session ids over HTTP: no request loses its session or its changes, whichever id it comes with, and a logout ends
// both ids. Covers the example in docs/users.md.

const crypto = require('node:crypto')
const path = require('node:path')
const { fork } = require('node:child_process')
const { once } = require('node:events')
const { setTimeout: pass } = require('node:timers/promises')
const session = require('express-session')
const { AerospikeStore, renew, renewal } = require('../..')
const { DevServer } = require('../../exports/dev-server')
const { serve } = require('../support/http')
const { OfficialClient } = require('../support/official-client')
const { nodeReason } = require('../support/official')
const {
  DAY, Tab, VIEWS, askAll, barrier, digest, logout, open, pages, pausedRequest, range, storedData, twoProcesses
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

const officialReason = nodeReason()
const withOfficial = officialReason === undefined ? test : test.skip

describe.each([
  ['as a map', {}],
  ['as JSON with a prefix', { format: 'json', prefix: 'shop:' }],
  ['encrypted', { encryptionKeys: [KEY] }],
  ['with hashed ids', { hashIds: 'a secret of more than 16 bytes' }],
  ['with tombstones', { tombstones: true }],
  ['with ids', { storeIds: true }],
  ['with an absolute lifetime', { absoluteTtl: 3_600 }],
  ['with touchOnRead', { touchOnRead: 80 }],
  ['with touchAfter', { touchAfter: 60 }]
])('a renewed session kept %s', (_, options) => {
  const pair = twoProcesses({ ...options, user: 'user' })

  test('counts as one session, also for its owner', async () => {
    const { store, visitor } = pair
    const old = await visitor.login({ user: 'ada', n: 1 })
    const late = visitor.copy()
    const { body: [done, id] } = await visitor.ask(renewed)
    expect(done).toBe(true)
    const others = await new Tab(pair.sites[0]).login({ user: 'ada', n: 2 })
    const listed = []
    for await (const one of store.sessions()) listed.push(one)
    for (const list of [await store.all(), listed, await store.sessionsOf('ada')]) {
      expect(list.map(({ n }) => n).sort()).toStrictEqual([1, 2])
    }
    expect([await store.length(), await store.countOf('ada'), await store.prune()]).toStrictEqual([2, 2, 0])
    if (options.storeIds) expect((await store.ids()).sort()).toStrictEqual([id, others].sort())
    // Through the old id, the session of the request is kept.
    expect((await late.ask(req => store.destroyOf('ada', { except: req.sessionID }))).body).toBe(1)
    expect(await store.get(others)).toBeNull()
    expect(await storedData(store, id)).toStrictEqual({ user: 'ada', n: 1 })
    expect(await store.destroyOf('ada')).toBe(1)
    for (const sid of [old, id]) expect(await store.get(sid)).toBeNull()
    expect((await late.ask(req => req.session.user ?? null)).body).toBeNull()
  })

  test('ends with a logout through the old id', async () => {
    const { store, visitor } = pair
    const old = await visitor.login({ user: 'ada' })
    const late = visitor.copy()
    const { body: [, id] } = await visitor.ask(renewed)
    expect((await late.ask(logout)).status).toBe(200)
    for (const sid of [old, id]) expect(await store.get(sid)).toBeNull()
    expect(await store.length()).toBe(0)
  })

  test('is found and ended by its first id after many renewals within the grace period', async () => {
    const { store, visitor, sites: [, other] } = pair
    await visitor.login({ user: 'ada' })
    const first = visitor.copy(other)
    for (let i = 0; i < 20; i++) expect((await visitor.ask(renewed)).body[0]).toBe(true)
    expect((await first.ask(req => { req.session.first = 1; return req.session.user })).body).toBe('ada')
    expect((await visitor.ask(req => req.session.first)).body).toBe(1)
    await first.ask(logout)
    expect((await visitor.ask(req => req.session.user ?? null)).body).toBeNull()
    expect(await store.length()).toBe(0)
  })

  test('leads from id to id if it is renewed again', async () => {
    const { store, visitor } = pair
    const first = await visitor.login({ user: 'ada' })
    const late = visitor.copy()
    const ids = [first]
    for (let n = 0; n < 3; n++) ids.push((await visitor.ask(renewed)).body[1])
    expect(new Set(ids).size).toBe(4)
    // A request with an old id does not renew.
    expect((await late.ask(renewed)).body).toStrictEqual([false, first])
    await late.ask(req => { req.session.late = 1 })
    for (const sid of ids) expect(await storedData(store, sid)).toStrictEqual({ user: 'ada', late: 1 })
    expect((await late.ask(logout)).status).toBe(200)
    for (const sid of ids) expect(await store.get(sid)).toBeNull()
    await store.clear()
  })

  withOfficial('leaves an old record without data and without the new id', async () => {
    const { store, visitor, set } = pair
    const official = await OfficialClient.connect(hosts())
    try {
      const old = await visitor.login({ user: 'ada', secret: 'a text that is found' })
      const { body: [, id] } = await visitor.ask(req => renew(req, { grace: 20 }).then(done => [done, req.sessionID]))
      const { hashIds, prefix = '', encryptionKeys } = options
      if (hashIds !== undefined) return
      const { bins, ttl } = await official.get('test', set, prefix + old)
      expect(Object.keys(bins).sort()).toStrictEqual(['alias', 'data', 'expires', ...(prefix ? ['prefix'] : [])])
      expect(bins.data).toBe(1)
      expect(bins.expires - Date.now()).toBeLessThanOrEqual(20_000)
      if (options.tombstones) expect(ttl).toBeGreaterThan(86_400)
      else expect(ttl).toBeLessThanOrEqual(22)
      const target = digest(set, prefix + id)
      const text = everythingIn(bins)
      for (const absent of ['a text that is found', 'ada', id, ...(encryptionKeys ? [Buffer.from(target, 'hex').toString('latin1'), target] : [])]) {
        expect(text).not.toContain(absent)
      }
      if (encryptionKeys === undefined) expect(bins.alias.toString('hex')).toBe(target)
      else expect(decrypt(KEY, digest(set, old), 'alias', bins.alias)).toBe(target)
      const { bins: renewedBins } = await official.get('test', set, prefix + id)
      expect(renewedBins.renews.toString('hex')).toBe(digest(set, prefix + old))
    } finally {
      await official.close()
      await store.clear()
    }
  })
})

test('a session keeps its creation time, and so its absolute lifetime', async () => {
  const store = openStore({ absoluteTtl: 1.5 })
  const site = await open(store)
  const visitor = new Tab(site)
  await visitor.login({ user: 'ada' })
  await pass(800)
  expect((await visitor.ask(renewed)).body[0]).toBe(true)
  expect((await visitor.ask(req => req.session.user)).body).toBe('ada')
  await pass(800)
  expect((await visitor.ask(req => req.session.user ?? null)).body).toBeNull()
})

test('a namespace that refuses TTLs keeps an alias only until its end', async () => {
  const { hasNoTtlNamespace } = require('../support/server')
  if (!await hasNoTtlNamespace()) return console.warn('not run: the cluster has no namespace nottl')
  const store = openStore({ namespace: 'nottl' })
  store.on('warning', () => {})
  const site = await open(store)
  const visitor = new Tab(site)
  const old = await visitor.login({ user: 'ada' })
  await visitor.ask(req => renew(req, { grace: 0.5 }))
  expect(await store.prune()).toBe(0)
  expect(await storedData(store, old)).toStrictEqual({ user: 'ada' })
  await pass(600)
  expect(await store.get(old)).toBeNull()
  expect(await store.prune()).toBe(1)
  expect((await visitor.ask(req => req.session.user)).body).toBe('ada')
})

describe('renew()', () => {
  const set = freshSet()
  let store, site, visitor
  const id = { fixed: undefined }
  beforeAll(async () => {
    store = openStore({ set })
    site = await open(store, { genid: () => id.fixed ?? crypto.randomUUID() })
  })
  beforeEach(() => { visitor = new Tab(site) })
  afterEach(() => { id.fixed = undefined })

  test('uses the ids of genid, and refuses one that is in use', async () => {
    const taken = await new Tab(site).login({ user: 'eve' })
    const old = await visitor.login({ user: 'ada' })
    id.fixed = 'chosen'
    expect((await visitor.ask(renewed)).body).toStrictEqual([true, 'chosen'])
    for (const fixed of [taken, 'chosen']) {
      id.fixed = fixed
      const { body } = await visitor.ask(req => renew(req).catch(({ code, message }) => ({ code, message })))
      expect(body).toStrictEqual({ code: 'BAD_KEY', message: expect.stringContaining("'genid'") })
      expect(body.message).not.toContain(fixed)
    }
    expect(await storedData(store, taken)).toStrictEqual({ user: 'eve' })
    expect(await storedData(store, old)).toStrictEqual({ user: 'ada' })
  })

  test('renews nothing for a session that is new, or has ended', async () => {
    expect((await visitor.ask(req => { req.session.n = 1; return renew(req) })).body).toBe(false)
    const old = await visitor.login()
    const answer = await visitor.ask(async req => {
      await store.destroy(old)
      return renewed(req)
    })
    expect(answer).toStrictEqual({ status: 200, body: [false, old] })
    expect((await visitor.ask(async req => {
      req.session.n = 1
      await new Promise(resolve => req.session.destroy(resolve))
      return renew(req)
    })).body).toBe(false)
  })

  test('takes a callback', async () => {
    await visitor.login()
    const { body } = await visitor.ask(req => new Promise(resolve => renew(req, (...args) => resolve(args))))
    expect(body).toStrictEqual([null, true])
    const wrong = await visitor.ask(req => new Promise(resolve => renew(req, { grace: 0 }, error => resolve(error.code))))
    expect(wrong.body).toBe('BAD_OPTION')
    const { body: thrown } = await visitor.ask(req => { try { renew(req, {}, 1) } catch ({ code }) { return code } })
    expect(thrown).toBe('BAD_OPTION')
  })

  test('keeps what the handler changed, before, during and after it', async () => {
    await visitor.login({ user: 'ada', cart: { n: 1 } })
    const { body: sid } = await visitor.ask(async req => {
      const { cart } = req.session
      req.session.before = 1
      const renewing = renew(req)
      req.session.during = 1
      delete req.session.user
      await renewing
      cart.n = 2
      req.session.after = 1
      req.session.cookie.maxAge = DAY / 2
      return req.sessionID
    })
    const { cookie, ...data } = await store.get(sid)
    expect(data).toStrictEqual({ cart: { n: 2 }, before: 1, during: 1, after: 1 })
    expect(cookie.originalMaxAge).toBe(DAY / 2)
  })

  test('refuses requests with a store of another kind', async () => {
    const other = await open(new session.MemoryStore())
    const { body } = await new Tab(other).ask(req => renew(req).catch(({ code, message }) => [code, message]))
    expect(body).toStrictEqual(['BAD_OPTION', expect.stringContaining('an AerospikeStore')])
    await expect(renew({})).rejects.toMatchObject({ code: 'BAD_OPTION' })
  })

  test.each([[{ grace: 31, every: 30 }], [{ every: 0 }], [{ evry: 30 }], [{ grace: '30' }]])('the middleware refuses %j', options => {
    expect(() => renewal(options)).toThrow(expect.objectContaining({ code: 'BAD_OPTION' }))
  })
})

describe.each([
  ['rolling', { rolling: true }],
  ['not rolling', {}],
  ['resaved', { resave: true, saveUninitialized: true }]
])('the middleware, with cookies that are %s,', (_, ofSite) => {
  test('renews sessions under parallel requests, and no browser loses its session or a change', async () => {
    const store = openStore()
    const errors = []
    store.on('warning', warning => errors.push(warning))
    const routes = app => {
      app.use(renewal({ every: 1.5, grace: 1.5 }))
      pages(app)
    }
    const sites = [await open(store, ofSite, routes), await open(openStore({ set: store.connection.view.set }), ofSite, routes)]
    const browsers = range(6).map(() => new Tab(sites[0]))
    const ids = await Promise.all(browsers.map((browser, n) => browser.login({ user: `u${n}` })))
    const until = performance.now() + 5_000
    const changes = browsers.map(() => ({}))
    await Promise.all(browsers.map(async (browser, n) => {
      let count = 0
      while (performance.now() < until) {
        await Promise.all(range(5).map(async () => {
          const key = `k${count++}`
          const [before, after] = [Math.random() * 40, Math.random() * 80]
          await pass(before)
          const { status, body } = await browser.beside(sites[count % 2]).ask(async req => {
            if (count % 3) req.session[key] = 1
            await pass(after)
            return [req.session.user, key in req.session]
          })
          expect([status, body[0]]).toStrictEqual([200, `u${n}`])
          if (body[1]) changes[n][key] = 1
        }))
      }
    }))
    await pass(1_800)
    for (const [n, browser] of browsers.entries()) {
      const { body: [user, id] } = await browser.ask(req => [req.session.user, req.sessionID])
      expect(user).toBe(`u${n}`)
      expect(id).not.toBe(ids[n])
      expect(await store.get(ids[n])).toBeNull()
      expect(await storedData(store, id)).toStrictEqual({ user: `u${n}`, ...changes[n] })
    }
    expect(errors).toStrictEqual([])
  }, 30_000)
})

test('a response to a request that was loaded before the renewal does not set the old cookie again', async () => {
  const store = openStore()
  const site = await open(store, { rolling: true }, app => {
    app.use(renewal({ every: 0.4, grace: 0.4 }))
    pages(app)
  })
  const visitor = new Tab(site)
  const old = await visitor.login({ user: 'ada' })
  const slow = await pausedRequest(visitor.beside(), async (req, pass) => { await pass(); req.session.late = 1 })
  await pass(450)
  const { body: id } = await visitor.ask(ID)
  expect(id).not.toBe(old)
  expect((await slow.finish()).status).toBe(200)
  expect((await visitor.ask(req => [req.session.user, req.session.late])).body).toStrictEqual(['ada', 1])
})

test('a renewal that fails is a warning of the middleware, and the request goes on', async () => {
  const store = openStore()
  const warnings = []
  store.on('warning', warning => warnings.push(warning))
  const taken = await new Tab(await open(store)).login()
  const site = await open(store, { genid: () => ids.shift() ?? taken }, app => {
    app.use(renewal({ every: 0.01, grace: 0.01 }))
    pages(app)
  })
  const ids = [crypto.randomUUID()]
  const visitor = new Tab(site)
  await visitor.login({ user: 'ada' })
  await pass(20)
  expect((await visitor.ask(req => req.session.user)).body).toBe('ada')
  expect(warnings).toStrictEqual([{ code: 'RENEWAL_FAILED', message: expect.stringContaining("'genid'") }])
})

test.each([['map'], ['json']])('a process that dies between both writes of a renewal leaves the session under its old id, as %s', async format => {
  const server = await DevServer.start()
  const options = { hosts: server.hosts, set: 'sessions', format }
  const store = new AerospikeStore(options)
  const site = await serve(store, pages)
  const child = fork(path.join(__dirname, '../support/renewing-site.js'), { env: { ...process.env, SITE: JSON.stringify({ options }) }, execArgv: [] })
  try {
    const [[, port]] = await once(child, 'message')
    const visitor = new Tab(site)
    const old = await visitor.login({ user: 'ada' })
    // The first write of the renewal is carried out but not answered for a minute.
    await server.inject({ kind: 'latency', ms: 60_000, when: 'after', on: 'write' })
    const other = visitor.copy({ url: `http://127.0.0.1:${port}` })
    const lost = other.get('/renew').catch(() => 'lost')
    while (await store.length() < 2) await pass(20)
    child.kill('SIGKILL')
    expect(await lost).toBe('lost')
    await server.clearFaults()
    expect((await visitor.ask(req => req.session.user)).body).toBe('ada')
    await visitor.ask(req => { req.session.n = 1 })
    const { body: [done, id] } = await visitor.ask(renewed)
    expect(done).toBe(true)
    expect(await storedData(store, old)).toStrictEqual({ user: 'ada', n: 1 })
    expect((await visitor.ask(logout)).status).toBe(200)
    for (const sid of [old, id]) expect(await store.get(sid)).toBeNull()
  } finally {
    child.kill('SIGKILL')
    await site.stop()
    await store.close()
    await server.stop()
  }
}, 20_000)
