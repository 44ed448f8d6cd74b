'use strict'

// save(), reload() and regenerate() during a request, while other requests change the session.

const session = require('express-session')
const {
  MERGING, Tab, call, digest, logout, open, pausedRequest, storedData, twoProcesses
} = require('../support/parallel-requests')
const { openStore } = require('../support/server')

describe.each(MERGING)('during a request on a session kept %s', (_, options) => {
  const pair = twoProcesses(options)

  test('save() shows its changes to other requests, and keeps their later changes', async () => {
    const { store, visitor } = pair
    const sid = await visitor.login({ a: 0, b: 0, c: 0 })
    const slow = await pausedRequest(visitor, async (req, pass) => {
      req.session.a = 1
      delete req.session.b
      await call(req.session, 'save')
      await pass()
      req.session.c = 1
    })
    const { body } = await visitor.ask(req => {
      const { cookie, ...seen } = req.session
      Object.assign(req.session, { a: 2, b: 2 })
      return seen
    })
    expect(body).toStrictEqual({ a: 1, c: 0 })
    await slow.finish()
    expect(await storedData(store, sid)).toStrictEqual({ a: 2, b: 2, c: 1 })
  })

  test('save() reverts the changes of an earlier save()', async () => {
    const { store, visitor } = pair
    const sid = await visitor.login({ kept: 0, changed: 0 })
    const { body } = await visitor.ask(async req => {
      Object.assign(req.session, { changed: 1, added: 1 })
      delete req.session.kept
      await call(req.session, 'save')
      const between = await storedData(store, sid)
      Object.assign(req.session, { changed: 0, kept: 0 })
      delete req.session.added
      return between
    })
    expect(body).toStrictEqual({ changed: 1, added: 1 })
    expect(await storedData(store, sid)).toStrictEqual({ kept: 0, changed: 0 })
  })

  test('the end of the request reverts the changes of a save() that was not awaited', async () => {
    const { store, visitor } = pair
    const sid = await visitor.login({ kept: 0, changed: 0 })
    await visitor.ask(req => {
      Object.assign(req.session, { changed: 1, added: 1 })
      delete req.session.kept
      req.session.save()
      Object.assign(req.session, { changed: 0, kept: 0 })
      delete req.session.added
    })
    expect(await storedData(store, sid)).toStrictEqual({ kept: 0, changed: 0 })
  })

  test('save() without changes keeps the changes of other requests', async () => {
    const { store, sites, visitor } = pair
    const sid = await visitor.login()
    const slow = await pausedRequest(visitor, async (req, pass) => {
      await pass()
      await call(req.session, 'save')
      req.session.slow = 1
    })
    await visitor.beside(sites[1]).ask(req => { req.session.fast = 1 })
    await slow.finish()
    expect(await storedData(store, sid)).toStrictEqual({ user: 'ada', fast: 1, slow: 1 })
  })

  test('save() after a conflict keeps the changes of other requests', async () => {
    const { store, visitor } = pair
    const sid = await visitor.login()
    const slow = await pausedRequest(visitor, async (req, pass) => {
      await pass()
      req.session.slow = 1
      await call(req.session, 'save')
      req.session.slow = 2
      await call(req.session, 'save')
      req.session.slow = 3
    })
    await visitor.ask(req => { req.session.fast = 1 })
    await slow.finish()
    expect(await storedData(store, sid)).toStrictEqual({ user: 'ada', fast: 1, slow: 3 })
  })

  test('reload() loads the changes of other requests, and drops unsaved changes', async () => {
    const { store, visitor } = pair
    const sid = await visitor.login({ a: 0, b: 0 })
    const slow = await pausedRequest(visitor, async (req, pass) => {
      req.session.dropped = 1
      req.session.a = 'dropped'
      await pass()
      await call(req.session, 'reload')
      const { cookie, ...seen } = req.session
      req.session.late = 1
      return seen
    })
    await visitor.ask(req => { req.session.b = 2 })
    expect((await slow.finish()).body).toStrictEqual({ a: 0, b: 2 })
    expect(await storedData(store, sid)).toStrictEqual({ a: 0, b: 2, late: 1 })
  })

  test('reload() is the new baseline for later changes', async () => {
    const { store, visitor } = pair
    const sid = await visitor.login({ n: 0 })
    const slow = await pausedRequest(visitor, async (req, pass) => {
      await pass()
      await call(req.session, 'reload')
      delete req.session.added
      req.session.n = 0
      // express-session compares with the session that it loaded first, so it would not save this by itself.
      await call(req.session, 'save')
    })
    await visitor.ask(req => Object.assign(req.session, { added: 1, n: 1 }))
    await slow.finish()
    expect(await storedData(store, sid)).toStrictEqual({ n: 0 })
  })

  test('reload() of a session that was logged out fails as with MemoryStore', async () => {
    const seen = await Promise.all([openStore(options), new session.MemoryStore()].map(async store => {
      const visitor = new Tab(await open(store))
      await visitor.login()
      const slow = await pausedRequest(visitor, async (req, pass) => {
        await pass()
        return call(req.session, 'reload').catch(({ message, code }) => ({ message, code }))
      })
      await visitor.ask(logout)
      return { answer: await slow.finish(), after: await visitor.ask(req => req.session.user) }
    }))
    expect(seen[0]).toStrictEqual(seen[1])
    expect(seen[0].answer.body).toStrictEqual({ message: 'failed to load session' })
  })

  test('regenerate() copies no data, and a slow write to the old session changes neither session', async () => {
    const { set, sites, store, visitor } = pair
    const old = await visitor.login({ user: 'nobody', secret: 'old' })
    const slow = await pausedRequest(visitor.copy(sites[1]), async (req, pass) => { await pass(); req.session.late = 1 })
    const { body: sid } = await visitor.ask(async req => {
      await call(req.session, 'regenerate')
      req.session.user = 'ada'
      return req.sessionID
    })
    await slow.finish()
    expect(sid).not.toBe(old)
    expect(await storedData(store, sid)).toStrictEqual({ user: 'ada' })
    expect(await storedData(store, old)).toBeNull()
    expect(sites[1].gone).toStrictEqual([{ digest: digest(set, old) }])
  })

  test('regenerate() and save() keep what other requests write to the new session', async () => {
    const { store, visitor } = pair
    let sid
    const login = await pausedRequest(visitor, async (req, pass) => {
      await call(req.session, 'regenerate')
      req.session.user = 'ada'
      await call(req.session, 'save')
      sid = req.sessionID
      await pass()
    })
    const other = store.createSession({ sessionID: sid, sessionStore: store }, await store.get(sid))
    other.fast = 1
    await store.set(sid, other)
    await login.finish()
    expect(await storedData(store, sid)).toStrictEqual({ user: 'ada', fast: 1 })
    expect((await visitor.ask(req => req.sessionID)).body).toBe(sid)
  })
})
