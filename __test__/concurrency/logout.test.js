'use strict'

// A session that ends while requests are in flight stays deleted, whatever these requests do.

const { setTimeout: sleep } = require('node:timers/promises')
const {
  DAY, Tab, VIEWS, askAll, barrier, call, digest, logout, open, pausedRequest, range, storedData, twoProcesses
} = require('../support/parallel-requests')
const { openStore } = require('../support/server')

/** Requests that are in flight while their session ends. */
const requests = {
  'that writes': async (req, pass) => { await pass(); req.session.late = 1 },
  'that deletes': async (req, pass) => { await pass(); delete req.session.user },
  'that changes everything': async (req, pass) => { req.session.user = { now: 'nested' }; req.session.list = [1]; await pass() },
  'that saves twice': async (req, pass) => {
    await pass()
    req.session.late = 1
    await call(req.session, 'save')
    req.session.later = 1
  },
  'that has saved before': async (req, pass) => {
    req.session.early = 1
    await call(req.session, 'save')
    await pass()
    req.session.late = 1
  },
  'that has saved an unchanged session before': async (req, pass) => {
    await call(req.session, 'save')
    await pass()
    req.session.late = 1
  },
  'that has reloaded before': async (req, pass) => {
    await call(req.session, 'reload')
    await pass()
    req.session.late = 1
  },
  'that only reads': async (req, pass) => { await pass(); return req.session.user },
  'that saves an unchanged session': async (req, pass) => { await pass(); await call(req.session, 'save') },
  'that changes only the cookie': async (req, pass) => { await pass(); req.session.cookie.maxAge = 7 * DAY }
}
/** The requests that lose data, for which the store emits `gone`. */
const writers = Object.keys(requests).slice(0, 7)

/** The ways in which a session ends. */
const endings = {
  'a logout': ({ visitor }) => visitor.ask(logout),
  'a logout without waiting for it': ({ visitor }) => visitor.ask(req => { req.session.destroy() }),
  'a logout in another process': ({ visitor, sites }) => visitor.beside(sites[1]).ask(logout),
  'req.session = null': ({ visitor }) => visitor.ask(req => { req.session = null }),
  'a login, which renews the id': ({ visitor }) => visitor.ask(req => call(req.session, 'regenerate')),
  'clear()': ({ store }) => store.clear()
}

describe.each(VIEWS)('a session kept %s', (_, options) => {
  const pair = twoProcesses(options, options, { unset: 'destroy' })
  const cases = Object.keys(requests).flatMap(name => Object.keys(endings).map(ending => [ending, name]))

  test.each(cases)('that ends by %s during a request %s stays deleted', async (ending, name) => {
    const { set, sites: [site], store, visitor } = pair
    const sid = await visitor.login()
    const tab = visitor.copy()
    const slow = await pausedRequest(tab, requests[name])
    await endings[ending](pair)
    expect(await store.get(sid)).toBeNull()

    expect((await slow.finish()).status).toBe(200)
    expect(await store.get(sid)).toBeNull()
    expect((await tab.ask(req => req.session.user ?? 'nobody')).body).toBe('nobody')
    if (writers.includes(name)) {
      expect(new Set(site.gone.map(event => JSON.stringify(event)))).toStrictEqual(new Set([JSON.stringify({ digest: digest(set, sid) })]))
      expect(site.gone[0].digest).toMatch(/^[0-9a-f]{40}$/)
    }
  })
})

describe.each(VIEWS)('a session kept %s', (_, options) => {
  // Without `unset`, so that express-session does not destroy the session again at the end of a request.
  const pair = twoProcesses(options)

  test('that expires during requests stays deleted, whatever they do', async () => {
    const store = openStore(options)
    const site = await open(store, { cookie: { maxAge: 1_500 } })
    const sids = []
    const slow = []
    for (const name of Object.keys(requests)) {
      const tab = new Tab(site)
      sids.push(await tab.login())
      slow.push({ tab, ...await pausedRequest(tab, requests[name]) })
    }
    expect(await store.length()).toBe(slow.length)
    await sleep(1_520)
    expect(await store.length()).toBe(0)
    for (const { tab, finish } of slow) {
      expect((await finish()).status).toBe(200)
      expect((await tab.ask(req => req.session.user ?? 'nobody')).body).toBe('nobody')
    }
    for (const sid of sids) expect(await store.get(sid)).toBeNull()
    expect(await store.length()).toBe(0)
    const lost = sids.slice(0, writers.length).map(sid => digest(store.connection.view.set, sid))
    expect(new Set(site.gone.map(event => event.digest))).toStrictEqual(new Set(lost))
  })

  test('that is logged out during a slow login is deleted, and the new session is kept', async () => {
    const { store, visitor } = pair
    const old = await visitor.login({ user: 'ada', secret: 'of the old session' })
    const [early, middle] = [visitor.copy(), visitor.copy()]
    const logins = [
      await pausedRequest(early, async (req, pass) => {
        await pass()
        await call(req.session, 'regenerate')
        req.session.user = 'early'
      }),
      await pausedRequest(middle, async (req, pass) => {
        await call(req.session, 'regenerate')
        await pass()
        req.session.user = 'middle'
        await call(req.session, 'save')
      })
    ]
    await visitor.ask(logout)
    const before = await store.length()
    for (const login of logins) expect((await login.finish()).status).toBe(200)
    expect(await store.get(old)).toBeNull()
    // The second login stored its session before the logout: a new id is stored even without data.
    expect(await store.length()).toBe(before + 2)
    for (const [tab, user] of [[early, 'early'], [middle, 'middle']]) {
      const { body } = await tab.ask(req => ({ ...req.session, cookie: undefined, fresh: req.sessionID !== old }))
      expect(body).toStrictEqual({ user, fresh: true })
    }
  })

  test('that is destroyed by the server during its login request stays deleted', async () => {
    const { set, sites: [site], store, visitor } = pair
    let sid
    const login = await pausedRequest(visitor, async (req, pass) => {
      await call(req.session, 'regenerate')
      req.session.user = 'ada'
      await call(req.session, 'save')
      sid = req.sessionID
      await pass()
      req.session.seen = true
    })
    expect(await storedData(store, sid)).toStrictEqual({ user: 'ada' })
    await store.destroy(sid)
    expect((await login.finish()).status).toBe(200)
    expect(await store.get(sid)).toBeNull()
    expect((await visitor.ask(req => req.session.user ?? 'nobody')).body).toBe('nobody')
    expect(site.gone).toStrictEqual([{ digest: digest(set, sid) }])
  })

  test('that was destroyed is not restored by writes through a kept reference', async () => {
    const { set, sites: [site], store, visitor } = pair
    const sid = await visitor.login()
    let kept
    await visitor.ask(async req => {
      kept = req.session
      await logout(req)
      kept.late = 1
      await call(kept, 'save')
      kept.later = 1
      await call(kept, 'save')
      await store.touch(sid, kept)
    })
    kept.latest = 1
    await call(kept, 'save')
    expect(await store.get(sid)).toBeNull()
    expect(site.gone).toStrictEqual(range(3).map(() => ({ digest: digest(set, sid) })))
  })

  test('that was destroyed is not restored by writes that did not wait for the destroy', async () => {
    const { set, sites: [site], store, visitor } = pair
    const sid = await visitor.login()
    const kept = await new Promise(resolve => visitor.ask(req => {
      const { session } = req
      session.destroy()
      session.late = 1
      session.save()
      resolve(session)
    }))
    await call(kept, 'save')
    expect(await store.get(sid)).toBeNull()
    expect(site.gone).toStrictEqual(range(2).map(() => ({ digest: digest(set, sid) })))
  })

  test('that its first request saved and destroyed is not restored by that request', async () => {
    const { store, visitor } = pair
    const { status, body: sid } = await visitor.ask(async req => {
      const { session } = req
      session.user = 'ada'
      await call(session, 'save')
      await logout(req)
      session.late = 1
      await call(session, 'save')
      return session.id
    })
    expect(status).toBe(200)
    expect(await store.get(sid)).toBeNull()
  })

  test('that its first request saved and destroyed without waiting is not restored by that request', async () => {
    const { store, visitor } = pair
    const { status, body: sid } = await visitor.ask(async req => {
      const { session } = req
      session.user = 'ada'
      session.save()
      session.destroy()
      session.late = 1
      await call(session, 'save')
      return session.id
    })
    expect(status).toBe(200)
    expect(await store.get(sid)).toBeNull()
  })

  test('that many requests log out while many others write is deleted', async () => {
    const { set, sites, store, visitor } = pair
    const sid = await visitor.login()
    const allArrived = barrier(40)
    const answers = await askAll(range(40).map(n => visitor.beside(sites[n % 2])), async (req, n) => {
      await allArrived()
      if (n % 4 === 0) await logout(req)
      else req.session[`k${n}`] = n
    })
    expect(answers.filter(({ status }) => status !== 200)).toStrictEqual([])
    expect(await store.get(sid)).toBeNull()
    for (const event of sites.flatMap(site => site.gone)) expect(event).toStrictEqual({ digest: digest(set, sid) })
  })
})
