'use strict'

// Parallel requests on one session: with `conflict: 'merge'` no change is lost, with `'overwrite'` the last writer wins.

const {
  DAY, MERGING, OVERWRITING, Tab, askAll, barrier, digest, open, pausedRequest, range, storedData, twoProcesses
} = require('../support/parallel-requests')
const { openStore } = require('../support/server')

describe.each(MERGING)('parallel requests on a session kept %s', (_, options) => {
  const pair = twoProcesses(options)
  const crowds = [1, 2].flatMap(processes => [2, 20, 100].map(count => [count, processes]))

  test.each(crowds)('keep all changes of %i requests to different keys, with %i process(es)', async (count, processes) => {
    const { store, visitor } = pair
    const sites = pair.sites.slice(0, processes)
    const sid = await visitor.login({ user: 'ada', k0: 'old' })
    const allArrived = barrier(count)
    const tabs = range(count).map(n => visitor.beside(sites[n % sites.length]))
    const answers = await askAll(tabs, async (req, n) => {
      await allArrived()
      req.session[`k${n}`] = n
      return Object.keys(req.session).length
    })
    // No request saw a change of another one.
    expect(answers).toStrictEqual(range(count).map(n => ({ status: 200, body: n === 0 ? 3 : 4 })))
    const expected = Object.fromEntries(range(count).map(n => [`k${n}`, n]))
    expect(await storedData(store, sid)).toStrictEqual({ user: 'ada', ...expected })
    const conflicts = sites.flatMap(site => site.conflicts)
    // The server merges changes to a map by itself, so they are no conflicts.
    expect(conflicts).toHaveLength(options.format === 'map' ? 0 : count - 1)
    expect(new Set(conflicts.map(event => event.digest)).size).toBe(options.format === 'map' ? 0 : 1)
  })

  test('apply all added, changed and deleted keys', async () => {
    const { store, sites, visitor } = pair
    const before = Object.fromEntries(range(20).map(n => [`k${n}`, n]))
    const sid = await visitor.login(before)
    const allArrived = barrier(30)
    await askAll(range(30).map(n => visitor.beside(sites[n % 2])), async (req, n) => {
      await allArrived()
      if (n < 10) delete req.session[`k${n}`]
      else req.session[`k${n}`] = `new ${n}`
    })
    expect(await storedData(store, sid)).toStrictEqual(Object.fromEntries(range(30).slice(10).map(n => [`k${n}`, `new ${n}`])))
  })

  test('merge top-level keys only: objects and arrays are replaced as a whole', async () => {
    const { store, visitor } = pair
    const sid = await visitor.login({ cart: { apple: 1 }, list: [1, 2], deep: { a: { b: [{ c: 0 }] } }, left: { alone: [null] } })
    const slow = await pausedRequest(visitor, async (req, pass) => {
      req.session.cart.pear = 1
      req.session.list.push(3)
      await pass()
    })
    await visitor.ask(req => {
      req.session.cart = { plum: 9 }
      req.session.list = []
      req.session.deep.a.b[0].c = 1
    })
    expect(await storedData(store, sid)).toStrictEqual({ cart: { plum: 9 }, list: [], deep: { a: { b: [{ c: 1 }] } }, left: { alone: [null] } })
    await slow.finish()
    expect(await storedData(store, sid)).toStrictEqual({
      cart: { apple: 1, pear: 1 }, list: [1, 2, 3], deep: { a: { b: [{ c: 1 }] } }, left: { alone: [null] }
    })
  })

  test('keep and change keys with any name', async () => {
    const { store, visitor } = pair
    const odd = { '': 0, 'a.b': 0, $x: 0, 12: 0, 'ключ 😀': 0, '\ud800': 0, toJson: 0, expires: 0 }
    const keys = Object.keys(odd)
    const sid = await visitor.login({ ...odd, drop: 0, keep: '\udfff' })
    const allArrived = barrier(keys.length)
    await askAll(keys.map(() => visitor.beside()), async (req, n) => {
      await allArrived()
      if (n % 2) req.session[keys[n]] = n
      else delete req.session.drop
    })
    const expected = Object.fromEntries(keys.map((key, n) => [key, n % 2 ? n : 0]))
    expect(await storedData(store, sid)).toStrictEqual({ ...expected, keep: '\udfff' })
  })

  test('apply the later write if one request deletes a key and another changes it', async () => {
    const { store, visitor } = pair
    const sid = await visitor.login({ a: 1, b: 1 })
    const slow = await pausedRequest(visitor, async (req, pass) => {
      await pass()
      delete req.session.a
      req.session.b = 'changed'
    })
    await visitor.ask(req => {
      req.session.a = 'changed'
      delete req.session.b
    })
    await slow.finish()
    expect(await storedData(store, sid)).toStrictEqual({ b: 'changed' })
  })

  test('do not write keys that they only read', async () => {
    const store = openStore(options)
    const visitor = new Tab(await open(store, { resave: true }))
    const sid = await visitor.login({ a: 1 })
    const slow = await pausedRequest(visitor, async (req, pass) => { await pass(); return req.session.a })
    await visitor.ask(req => { req.session.a = 2 })
    expect((await slow.finish()).body).toBe(1)
    expect(await storedData(store, sid)).toStrictEqual({ a: 2 })
  })

  test.each([
    ['data', 'cookie'],
    ['cookie', 'data']
  ])('keep a change of the data and a change of the cookie: %s first, then %s', async (first, last) => {
    const { store, visitor } = pair
    const sid = await visitor.login()
    const change = {
      data: req => { req.session.late = true },
      cookie: req => { req.session.cookie.maxAge = 7 * DAY }
    }
    const slow = await pausedRequest(visitor, async (req, pass) => { await pass(); change[last](req) })
    await visitor.ask(change[first])
    await slow.finish()
    expect(await storedData(store, sid)).toStrictEqual({ user: 'ada', late: true })
    // express-session reads the clock twice, which may subtract a millisecond.
    expect((await store.get(sid)).cookie.originalMaxAge).toBeGreaterThan(6 * DAY)
    // The next request extends the session by the new maxAge.
    const { body } = await visitor.ask(req => req.session.cookie.originalMaxAge)
    expect(body).toBeGreaterThan(6 * DAY)
    const { cookie } = await store.get(sid)
    expect(new Date(cookie.expires).getTime()).toBeGreaterThan(Date.now() + 6 * DAY)
  })
})

describe('parallel requests', () => {
  const mixed = twoProcesses({ format: 'map' }, { format: 'json' })
  const json = twoProcesses({ format: 'json' })

  test('of processes with different formats lose no change', async () => {
    const { store, sites, visitor } = mixed
    const sid = await visitor.login()
    for (const round of range(3)) {
      const allArrived = barrier(20)
      await askAll(range(20).map(n => visitor.beside(sites[n % 2])), async (req, n) => {
        await allArrived()
        req.session[`r${round}k${n}`] = n
      })
    }
    const keys = range(3).flatMap(round => range(20).map(n => [`r${round}k${n}`, n]))
    expect(await storedData(store, sid)).toStrictEqual({ user: 'ada', ...Object.fromEntries(keys) })
  })

  test('emit a conflict for JSON data, with the digest of the session and without its id', async () => {
    const { set, sites: [site], store, visitor } = json
    const sid = await visitor.login()
    await visitor.ask(req => { req.session.alone = 1 })
    expect(site.conflicts).toStrictEqual([])
    const slow = await pausedRequest(visitor, async (req, pass) => { await pass(); req.session.slow = 1 })
    await visitor.ask(req => { req.session.fast = 1 })
    await slow.finish()
    expect(site.conflicts).toStrictEqual([{ digest: digest(set, sid) }])
    expect(site.conflicts[0].digest).toMatch(/^[0-9a-f]{40}$/)
    expect(await storedData(store, sid)).toStrictEqual({ user: 'ada', alone: 1, fast: 1, slow: 1 })
  })
})

describe.each(OVERWRITING)('parallel requests on a session kept %s', (_, options) => {
  const pair = twoProcesses(options)

  test('keep the whole data of the last writer', async () => {
    const { store, sites, visitor } = pair
    const sid = await visitor.login({ user: 'ada', old: 1 })
    const slow = await pausedRequest(visitor, async (req, pass) => {
      await pass()
      req.session.slow = 1
      delete req.session.user
    })
    await visitor.beside(sites[1]).ask(req => { req.session.fast = 1; req.session.old = 2 })
    expect(await storedData(store, sid)).toStrictEqual({ user: 'ada', old: 2, fast: 1 })
    await slow.finish()
    expect(await storedData(store, sid)).toStrictEqual({ old: 1, slow: 1 })
    expect(sites.flatMap(site => site.conflicts)).toStrictEqual([])
  })

  test('do not write a session that they only read', async () => {
    const { store, visitor } = pair
    const sid = await visitor.login()
    const slow = await pausedRequest(visitor, async (req, pass) => { await pass() })
    await visitor.ask(req => { req.session.fast = 1 })
    await slow.finish()
    expect(await storedData(store, sid)).toStrictEqual({ user: 'ada', fast: 1 })
  })
})
