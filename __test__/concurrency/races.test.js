'use strict'

// Requests that cross each other, over real HTTP through real Express: nothing that one of them
// changed is lost, and nothing that was logged out comes back.
//
// What happens when is decided by gates: a request stops at one until the test has done its worst.

const crypto = require('node:crypto')
const { setTimeout: pass } = require('node:timers/promises')
const session = require('express-session')
const { freshSet, openStore } = require('../support/server')
const { serve, Visitor } = require('../support/http')

const DAY = 86_400_000
const KEY = crypto.randomBytes(32)
const VIEWS = [
  ['as a map', { format: 'map' }],
  ['as JSON', { format: 'json' }],
  ['encrypted', { encryptionKeys: [KEY] }],
  ['as a map, the last write winning', { format: 'map', conflict: 'overwrite' }],
  ['as JSON, the last write winning', { format: 'json', conflict: 'overwrite' }],
  ['encrypted, the last write winning', { encryptionKeys: [KEY], conflict: 'overwrite' }]
]
const MERGING = VIEWS.slice(0, 3)
const OVERWRITING = VIEWS.slice(3)

/** What the requests on their way do, by the path they come by. */
const handlers = new Map()
const running = []

/** A browser, maybe one of several tabs: it asks for a page by what the server does for that. */
class Tab extends Visitor {
  constructor (site) {
    super(site.url)
    this.site = site
  }

  ask (handler, under = '') {
    const name = String(handlers.size)
    handlers.set(name, handler)
    return this.get(`${under}/${name}`)
  }

  /** Another tab of the same browser, at the same site unless told otherwise. */
  beside (site = this.site) {
    const tab = new Tab(site)
    tab.cookies = this.cookies
    return tab
  }

  /** Another browser with the same cookies, as they are now. */
  copy (site = this.site) {
    const tab = new Tab(site)
    tab.cookies = new Map(this.cookies)
    return tab
  }

  /** Logs in; the id of the new session. */
  async login (data = { user: 'ada' }) {
    const { status, body } = await this.ask(async req => {
      Object.assign(req.session, data)
      return req.sessionID
    })
    expect(status).toBe(200)
    return body
  }
}

function pages (app) {
  const answer = async (req, res) => res.json(await handlers.get(req.params.name)(req) ?? null)
  app.get('/:name', answer)
  app.get('/:section/:name', answer)
}

/** An app on a store, with what its store tells. */
async function open (store, options, routes = pages) {
  const site = await serve(store, routes, { cookie: { maxAge: DAY }, ...options })
  Object.assign(site, { store, gone: [], conflicts: [] })
  store.on('gone', event => site.gone.push(event))
  store.on('conflict', event => site.conflicts.push(event))
  running.push(site)
  return site
}

/**
 * Two processes behind a load balancer, for all the tests around: each gets a new visitor of the
 * first, and hears only the events of its own.
 */
function twoProcesses (options, others = options, ofSite = {}) {
  const pair = { sites: [] }
  beforeAll(async () => {
    pair.set = freshSet()
    for (const each of [options, others]) pair.sites.push(await open(openStore({ ...each, set: pair.set }), ofSite))
    pair.store = pair.sites[0].store
  })
  beforeEach(() => {
    for (const { gone, conflicts } of pair.sites) gone.length = conflicts.length = 0
    pair.visitor = new Tab(pair.sites[0])
  })
  return pair
}

/** Where requests stop: `reached` once one has, `open()` to let it go on. */
function gate () {
  const made = {}
  made.reached = new Promise(resolve => { made.arrive = resolve })
  made.opened = new Promise(resolve => { made.open = resolve })
  made.pass = () => { made.arrive(); return made.opened }
  return made
}

/** Resolves for all who wait as soon as that many do. */
function meeting (count) {
  const { open, opened } = gate()
  return () => {
    if (--count === 0) open()
    return opened
  }
}

/** A request under way that has loaded its session and waits at the gate. */
async function underWay (tab, handler) {
  const at = gate()
  const answer = tab.ask(req => handler(req, at.pass))
  await Promise.race([at.reached, answer.then(({ status, body }) => {
    throw new Error(`the request ended before the gate: ${status} ${JSON.stringify(body)}`)
  })])
  return { finish: () => { at.open(); return answer } }
}

/** A method of a session, by promise. */
const call = (session, method) => new Promise((resolve, reject) => {
  session[method](error => error ? reject(error) : resolve())
})

const logOut = req => call(req.session, 'destroy')

/** What is stored for a session id, but for the cookie. */
async function stored (store, sid) {
  const found = await store.get(sid)
  if (found === null) return null
  const { cookie, ...data } = found
  return data
}

/** A record's digest, as Aerospike makes it of set, key type (3: string) and key. */
function digest (set, sid) {
  return crypto.createHash('ripemd160').update(`${set}\u0003${sid}`).digest('hex')
}

const range = count => Array.from({ length: count }, (_, n) => n)

/** Runs all of them, waiting for none. */
const all = (tabs, handler) => Promise.all(tabs.map((tab, n) => tab.ask(req => handler(req, n))))

afterEach(() => {
  // No write failed behind the back of a visitor who had the page already.
  expect(running.flatMap(({ errors }) => errors.splice(0))).toStrictEqual([])
})

afterAll(async () => {
  for (const site of running) await site.stop()
})

describe.each(MERGING)('parallel requests on a session kept %s', (_, options) => {
  const behind = twoProcesses(options)
  const crowds = [1, 2].flatMap(processes => [2, 20, 100].map(count => [count, processes]))

  test.each(crowds)('each of %i that change a different key keeps its change, with %i process(es)', async (count, processes) => {
    const { store, visitor } = behind
    const sites = behind.sites.slice(0, processes)
    const sid = await visitor.login({ user: 'ada', k0: 'old' })
    const everybody = meeting(count)
    const tabs = range(count).map(n => visitor.beside(sites[n % sites.length]))
    const answers = await all(tabs, async (req, n) => {
      await everybody()
      req.session[`k${n}`] = n
      return Object.keys(req.session).length
    })
    // None of them saw a change of another.
    expect(answers).toStrictEqual(range(count).map(n => ({ status: 200, body: n === 0 ? 3 : 4 })))
    const expected = Object.fromEntries(range(count).map(n => [`k${n}`, n]))
    expect(await stored(store, sid)).toStrictEqual({ user: 'ada', ...expected })
    const conflicts = sites.flatMap(site => site.conflicts)
    // Only a map is changed by the server itself.
    expect(conflicts).toHaveLength(options.format === 'map' ? 0 : count - 1)
    expect(new Set(conflicts.map(event => event.digest)).size).toBe(options.format === 'map' ? 0 : 1)
  })

  test('that add, change and delete keys are all heeded', async () => {
    const { store, sites, visitor } = behind
    const before = Object.fromEntries(range(20).map(n => [`k${n}`, n]))
    const sid = await visitor.login(before)
    const everybody = meeting(30)
    await all(range(30).map(n => visitor.beside(sites[n % 2])), async (req, n) => {
      await everybody()
      if (n < 10) delete req.session[`k${n}`]
      else req.session[`k${n}`] = `new ${n}`
    })
    expect(await stored(store, sid)).toStrictEqual(Object.fromEntries(range(30).slice(10).map(n => [`k${n}`, `new ${n}`])))
  })

  test('merge key by key and never deeper: objects and arrays are replaced whole', async () => {
    const { store, visitor } = behind
    const sid = await visitor.login({ cart: { apple: 1 }, list: [1, 2], deep: { a: { b: [{ c: 0 }] } }, left: { alone: [null] } })
    const slow = await underWay(visitor, async (req, pass) => {
      req.session.cart.pear = 1
      req.session.list.push(3)
      await pass()
    })
    await visitor.ask(req => {
      req.session.cart = { plum: 9 }
      req.session.list = []
      req.session.deep.a.b[0].c = 1
    })
    expect(await stored(store, sid)).toStrictEqual({ cart: { plum: 9 }, list: [], deep: { a: { b: [{ c: 1 }] } }, left: { alone: [null] } })
    await slow.finish()
    expect(await stored(store, sid)).toStrictEqual({
      cart: { apple: 1, pear: 1 }, list: [1, 2, 3], deep: { a: { b: [{ c: 1 }] } }, left: { alone: [null] }
    })
  })

  test('heed and keep keys of any kind', async () => {
    const { store, visitor } = behind
    const odd = { '': 0, 'a.b': 0, $x: 0, 12: 0, 'ключ 😀': 0, '\ud800': 0, toJson: 0, expires: 0 }
    const keys = Object.keys(odd)
    const sid = await visitor.login({ ...odd, drop: 0, keep: '\udfff' })
    const everybody = meeting(keys.length)
    await all(keys.map(() => visitor.beside()), async (req, n) => {
      await everybody()
      if (n % 2) req.session[keys[n]] = n
      else delete req.session.drop
    })
    const expected = Object.fromEntries(keys.map((key, n) => [key, n % 2 ? n : 0]))
    expect(await stored(store, sid)).toStrictEqual({ ...expected, keep: '\udfff' })
  })

  test('of which one deletes what the other changes: the later one is heeded', async () => {
    const { store, visitor } = behind
    const sid = await visitor.login({ a: 1, b: 1 })
    const slow = await underWay(visitor, async (req, pass) => {
      await pass()
      delete req.session.a
      req.session.b = 'changed'
    })
    await visitor.ask(req => {
      req.session.a = 'changed'
      delete req.session.b
    })
    await slow.finish()
    expect(await stored(store, sid)).toStrictEqual({ b: 'changed' })
  })

  test('leave alone what they only looked at', async () => {
    const store = openStore(options)
    const visitor = new Tab(await open(store, { resave: true }))
    const sid = await visitor.login({ a: 1 })
    const slow = await underWay(visitor, async (req, pass) => { await pass(); return req.session.a })
    await visitor.ask(req => { req.session.a = 2 })
    expect((await slow.finish()).body).toBe(1)
    expect(await stored(store, sid)).toStrictEqual({ a: 2 })
  })

  test.each([
    ['data', 'cookie'],
    ['cookie', 'data']
  ])('of which one changes the data and one only the cookie: %s first, then %s', async (first, last) => {
    const { store, visitor } = behind
    const sid = await visitor.login()
    const change = {
      data: req => { req.session.late = true },
      cookie: req => { req.session.cookie.maxAge = 7 * DAY }
    }
    const slow = await underWay(visitor, async (req, pass) => { await pass(); change[last](req) })
    await visitor.ask(change[first])
    await slow.finish()
    expect(await stored(store, sid)).toStrictEqual({ user: 'ada', late: true })
    // express-session itself may take a millisecond off, by reading the clock twice.
    expect((await store.get(sid)).cookie.originalMaxAge).toBeGreaterThan(6 * DAY)
    // And so the session lives on from the next page.
    const { body } = await visitor.ask(req => req.session.cookie.originalMaxAge)
    expect(body).toBeGreaterThan(6 * DAY)
    const { cookie } = await store.get(sid)
    expect(new Date(cookie.expires).getTime()).toBeGreaterThan(Date.now() + 6 * DAY)
  })
})

describe('parallel requests', () => {
  const mixed = twoProcesses({ format: 'map' }, { format: 'json' })
  const json = twoProcesses({ format: 'json' })

  test('of processes that keep sessions in different formats lose nothing', async () => {
    const { store, sites, visitor } = mixed
    const sid = await visitor.login()
    for (const round of range(3)) {
      const everybody = meeting(20)
      await all(range(20).map(n => visitor.beside(sites[n % 2])), async (req, n) => {
        await everybody()
        req.session[`r${round}k${n}`] = n
      })
    }
    const keys = range(3).flatMap(round => range(20).map(n => [`r${round}k${n}`, n]))
    expect(await stored(store, sid)).toStrictEqual({ user: 'ada', ...Object.fromEntries(keys) })
  })

  test('tell of a conflict where the data is JSON, by the digest of the session and not its id', async () => {
    const { set, sites: [site], store, visitor } = json
    const sid = await visitor.login()
    await visitor.ask(req => { req.session.alone = 1 })
    expect(site.conflicts).toStrictEqual([])
    const slow = await underWay(visitor, async (req, pass) => { await pass(); req.session.slow = 1 })
    await visitor.ask(req => { req.session.fast = 1 })
    await slow.finish()
    expect(site.conflicts).toStrictEqual([{ digest: digest(set, sid) }])
    expect(site.conflicts[0].digest).toMatch(/^[0-9a-f]{40}$/)
    expect(await stored(store, sid)).toStrictEqual({ user: 'ada', alone: 1, fast: 1, slow: 1 })
  })
})

describe.each(OVERWRITING)('parallel requests on a session kept %s', (_, options) => {
  const behind = twoProcesses(options)

  test('end with the whole data of the last writer', async () => {
    const { store, sites, visitor } = behind
    const sid = await visitor.login({ user: 'ada', old: 1 })
    const slow = await underWay(visitor, async (req, pass) => {
      await pass()
      req.session.slow = 1
      delete req.session.user
    })
    await visitor.beside(sites[1]).ask(req => { req.session.fast = 1; req.session.old = 2 })
    expect(await stored(store, sid)).toStrictEqual({ user: 'ada', old: 2, fast: 1 })
    await slow.finish()
    expect(await stored(store, sid)).toStrictEqual({ old: 1, slow: 1 })
    expect(sites.flatMap(site => site.conflicts)).toStrictEqual([])
  })

  test('do not write what they only looked at', async () => {
    const { store, visitor } = behind
    const sid = await visitor.login()
    const slow = await underWay(visitor, async (req, pass) => { await pass() })
    await visitor.ask(req => { req.session.fast = 1 })
    await slow.finish()
    expect(await stored(store, sid)).toStrictEqual({ user: 'ada', fast: 1 })
  })
})

/** Requests that are under way while their session ends. */
const late = {
  'that writes': async (req, pass) => { await pass(); req.session.late = 1 },
  'that deletes': async (req, pass) => { await pass(); delete req.session.user },
  'that changes everything': async (req, pass) => { req.session.user = { now: 'nested' }; req.session.list = [1]; await pass() },
  'that saves in the middle': async (req, pass) => {
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
  'that has saved before what it had not changed': async (req, pass) => {
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
  'that saves what it only read': async (req, pass) => { await pass(); await call(req.session, 'save') },
  'that changes only the cookie': async (req, pass) => { await pass(); req.session.cookie.maxAge = 7 * DAY }
}
/** Those of them whose data is lost, which is told. */
const writers = Object.keys(late).slice(0, 7)

/** Ways for a session to end. */
const ends = {
  'a logout': ({ visitor }) => visitor.ask(logOut),
  'a logout that waits for nothing': ({ visitor }) => visitor.ask(req => { req.session.destroy() }),
  'a logout in another process': ({ visitor, sites }) => visitor.beside(sites[1]).ask(logOut),
  'req.session = null': ({ visitor }) => visitor.ask(req => { req.session = null }),
  'a login, which renews the id': ({ visitor }) => visitor.ask(req => call(req.session, 'regenerate')),
  'the end of all sessions': ({ store }) => store.clear()
}

describe.each(VIEWS)('a session kept %s', (_, options) => {
  const behind = twoProcesses(options, options, { unset: 'destroy' })
  const cases = Object.keys(late).flatMap(name => Object.keys(ends).map(end => [end, name]))

  test.each(cases)('that ends by %s during a request %s stays gone', async (end, name) => {
    const { set, sites: [site], store, visitor } = behind
    const sid = await visitor.login()
    const tab = visitor.copy()
    const slow = await underWay(tab, late[name])
    await ends[end](behind)
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
  // Without `unset`: nothing is destroyed once more by the end of a request.
  const behind = twoProcesses(options)

  test('that expires during requests stays gone, whatever they do', async () => {
    const store = openStore(options)
    const site = await open(store, { cookie: { maxAge: 1_500 } })
    const sids = []
    const slow = []
    for (const name of Object.keys(late)) {
      const tab = new Tab(site)
      sids.push(await tab.login())
      slow.push({ tab, ...await underWay(tab, late[name]) })
    }
    expect(await store.length()).toBe(slow.length)
    await pass(1_520)
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

  test('that is logged out before or in the middle of a slow login leaves only the new one', async () => {
    const { store, visitor } = behind
    const old = await visitor.login({ user: 'ada', secret: 'of the old session' })
    const [early, middle] = [visitor.copy(), visitor.copy()]
    const logins = [
      await underWay(early, async (req, pass) => {
        await pass()
        await call(req.session, 'regenerate')
        req.session.user = 'early'
      }),
      await underWay(middle, async (req, pass) => {
        await call(req.session, 'regenerate')
        await pass()
        req.session.user = 'middle'
        await call(req.session, 'save')
      })
    ]
    await visitor.ask(logOut)
    const before = await store.length()
    for (const login of logins) expect((await login.finish()).status).toBe(200)
    expect(await store.get(old)).toBeNull()
    // That of the second was stored before the logout: a new id is stored even without data.
    expect(await store.length()).toBe(before + 2)
    for (const [tab, user] of [[early, 'early'], [middle, 'middle']]) {
      const { body } = await tab.ask(req => ({ ...req.session, cookie: undefined, fresh: req.sessionID !== old }))
      expect(body).toStrictEqual({ user, fresh: true })
    }
  })

  test('that is thrown out before the page of its own login ends stays gone', async () => {
    const { set, sites: [site], store, visitor } = behind
    let sid
    const login = await underWay(visitor, async (req, pass) => {
      await call(req.session, 'regenerate')
      req.session.user = 'ada'
      await call(req.session, 'save')
      sid = req.sessionID
      await pass()
      req.session.seen = true
    })
    expect(await stored(store, sid)).toStrictEqual({ user: 'ada' })
    await store.destroy(sid)
    expect((await login.finish()).status).toBe(200)
    expect(await store.get(sid)).toBeNull()
    expect((await visitor.ask(req => req.session.user ?? 'nobody')).body).toBe('nobody')
    expect(site.gone).toStrictEqual([{ digest: digest(set, sid) }])
  })

  test('that was destroyed is not brought back by writes through a kept reference', async () => {
    const { set, sites: [site], store, visitor } = behind
    const sid = await visitor.login()
    let kept
    await visitor.ask(async req => {
      kept = req.session
      await logOut(req)
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

  test('that was destroyed is not brought back by writes that did not wait for that', async () => {
    const { set, sites: [site], store, visitor } = behind
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

  test('that was saved and destroyed by its first request is not brought back by it', async () => {
    const { store, visitor } = behind
    const { status, body: sid } = await visitor.ask(async req => {
      const { session } = req
      session.user = 'ada'
      await call(session, 'save')
      await logOut(req)
      session.late = 1
      await call(session, 'save')
      return session.id
    })
    expect(status).toBe(200)
    expect(await store.get(sid)).toBeNull()
  })

  test('that was saved and destroyed by its first request, which waited for neither, is not brought back by it', async () => {
    const { store, visitor } = behind
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

  test('that is logged out many times at once, while many write, is gone', async () => {
    const { set, sites, store, visitor } = behind
    const sid = await visitor.login()
    const everybody = meeting(40)
    const answers = await all(range(40).map(n => visitor.beside(sites[n % 2])), async (req, n) => {
      await everybody()
      if (n % 4 === 0) await logOut(req)
      else req.session[`k${n}`] = n
    })
    expect(answers.filter(({ status }) => status !== 200)).toStrictEqual([])
    expect(await store.get(sid)).toBeNull()
    for (const event of sites.flatMap(site => site.gone)) expect(event).toStrictEqual({ digest: digest(set, sid) })
  })
})

describe.each(MERGING)('in the middle of a request on a session kept %s', (_, options) => {
  const behind = twoProcesses(options)

  test('save() shows others what it wrote, and what they change then stays', async () => {
    const { store, visitor } = behind
    const sid = await visitor.login({ a: 0, b: 0, c: 0 })
    const slow = await underWay(visitor, async (req, pass) => {
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
    expect(await stored(store, sid)).toStrictEqual({ a: 2, b: 2, c: 1 })
  })

  test('save() takes back what an earlier save() wrote', async () => {
    const { store, visitor } = behind
    const sid = await visitor.login({ kept: 0, changed: 0 })
    const { body } = await visitor.ask(async req => {
      Object.assign(req.session, { changed: 1, added: 1 })
      delete req.session.kept
      await call(req.session, 'save')
      const between = await stored(store, sid)
      Object.assign(req.session, { changed: 0, kept: 0 })
      delete req.session.added
      return between
    })
    expect(body).toStrictEqual({ changed: 1, added: 1 })
    expect(await stored(store, sid)).toStrictEqual({ kept: 0, changed: 0 })
  })

  test('save() that nobody waits for is taken back by the end of the request just so', async () => {
    const { store, visitor } = behind
    const sid = await visitor.login({ kept: 0, changed: 0 })
    await visitor.ask(req => {
      Object.assign(req.session, { changed: 1, added: 1 })
      delete req.session.kept
      req.session.save()
      Object.assign(req.session, { changed: 0, kept: 0 })
      delete req.session.added
    })
    expect(await stored(store, sid)).toStrictEqual({ kept: 0, changed: 0 })
  })

  test('save() that changes nothing does not make the rest of the request forget the others', async () => {
    const { store, sites, visitor } = behind
    const sid = await visitor.login()
    const slow = await underWay(visitor, async (req, pass) => {
      await pass()
      await call(req.session, 'save')
      req.session.slow = 1
    })
    await visitor.beside(sites[1]).ask(req => { req.session.fast = 1 })
    await slow.finish()
    expect(await stored(store, sid)).toStrictEqual({ user: 'ada', fast: 1, slow: 1 })
  })

  test('save() after a conflict does not forget the others either', async () => {
    const { store, visitor } = behind
    const sid = await visitor.login()
    const slow = await underWay(visitor, async (req, pass) => {
      await pass()
      req.session.slow = 1
      await call(req.session, 'save')
      req.session.slow = 2
      await call(req.session, 'save')
      req.session.slow = 3
    })
    await visitor.ask(req => { req.session.fast = 1 })
    await slow.finish()
    expect(await stored(store, sid)).toStrictEqual({ user: 'ada', fast: 1, slow: 3 })
  })

  test('reload() brings what others wrote, and drops what was not saved', async () => {
    const { store, visitor } = behind
    const sid = await visitor.login({ a: 0, b: 0 })
    const slow = await underWay(visitor, async (req, pass) => {
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
    expect(await stored(store, sid)).toStrictEqual({ a: 0, b: 2, late: 1 })
  })

  test('reload() makes the rest of the request a change of what it brought', async () => {
    const { store, visitor } = behind
    const sid = await visitor.login({ n: 0 })
    const slow = await underWay(visitor, async (req, pass) => {
      await pass()
      await call(req.session, 'reload')
      delete req.session.added
      req.session.n = 0
      // express-session compares with what it loaded first, and would not save this by itself.
      await call(req.session, 'save')
    })
    await visitor.ask(req => Object.assign(req.session, { added: 1, n: 1 }))
    await slow.finish()
    expect(await stored(store, sid)).toStrictEqual({ n: 0 })
  })

  test('reload() of a session that was logged out meanwhile fails as with the memory store', async () => {
    const seen = await Promise.all([openStore(options), new session.MemoryStore()].map(async store => {
      const visitor = new Tab(await open(store))
      await visitor.login()
      const slow = await underWay(visitor, async (req, pass) => {
        await pass()
        return call(req.session, 'reload').catch(({ message, code }) => ({ message, code }))
      })
      await visitor.ask(logOut)
      return { answer: await slow.finish(), after: await visitor.ask(req => req.session.user) }
    }))
    expect(seen[0]).toStrictEqual(seen[1])
    expect(seen[0].answer.body).toStrictEqual({ message: 'failed to load session' })
  })

  test('regenerate() takes nothing over, and a slow write to the old session reaches neither', async () => {
    const { set, sites, store, visitor } = behind
    const old = await visitor.login({ user: 'nobody', secret: 'old' })
    const slow = await underWay(visitor.copy(sites[1]), async (req, pass) => { await pass(); req.session.late = 1 })
    const { body: sid } = await visitor.ask(async req => {
      await call(req.session, 'regenerate')
      req.session.user = 'ada'
      return req.sessionID
    })
    await slow.finish()
    expect(sid).not.toBe(old)
    expect(await stored(store, sid)).toStrictEqual({ user: 'ada' })
    expect(await stored(store, old)).toBeNull()
    expect(sites[1].gone).toStrictEqual([{ digest: digest(set, old) }])
  })

  test('regenerate() and save(): what others write to the new session before the end of the request stays', async () => {
    const { store, visitor } = behind
    let sid
    const login = await underWay(visitor, async (req, pass) => {
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
    expect(await stored(store, sid)).toStrictEqual({ user: 'ada', fast: 1 })
    expect((await visitor.ask(req => req.sessionID)).body).toBe(sid)
  })
})

describe.each(MERGING)('two session() middlewares on one store that keeps sessions %s', (_, options) => {
  test('keep their sessions apart, and lose and revive nothing in either', async () => {
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

    const everybody = meeting(20)
    await Promise.all(range(20).map(n => visitor.beside().ask(async req => {
      await everybody()
      req.session[`k${n}`] = n
    }, n % 2 === 0 ? '/shop' : '/admin')))
    const expected = rest => Object.fromEntries(range(20).filter(n => n % 2 === rest).map(n => [`k${n}`, n]))
    expect(await stored(store, sids.shop)).toStrictEqual({ section: 'shop', ...expected(0) })
    expect(await stored(store, sids.admin)).toStrictEqual({ section: 'admin', ...expected(1) })

    const everyone = meeting(3)
    const [at, to] = [gate(), '/admin']
    const slow = visitor.ask(async req => { await everyone(); await at.opened; req.session.late = 1 }, to)
    await Promise.all([
      visitor.ask(async req => { await everyone(); await logOut(req) }, to),
      visitor.ask(async req => { await everyone(); req.session.bought = 1 }, '/shop')
    ])
    at.open()
    expect((await slow).status).toBe(200)
    expect(await stored(store, sids.admin)).toBeNull()
    expect(await stored(store, sids.shop)).toStrictEqual({ section: 'shop', ...expected(0), bought: 1 })
    expect(site.gone).toStrictEqual([{ digest: digest(set, sids.admin) }])
  })
})
