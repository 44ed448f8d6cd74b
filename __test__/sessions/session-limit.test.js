'use strict'

// Option `maxSessionsPerUser`: a login removes the user's sessions beyond the limit.

const crypto = require('node:crypto')
const { AsyncLocalStorage } = require('node:async_hooks')
const { once } = require('node:events')
const { setTimeout: pass } = require('node:timers/promises')
const { AerospikeStore, SessionStore } = require('../..')
const { DevServer } = require('../../exports/dev-server')
const { cookie: lasting } = require('../support/cookie')
const { forkSite } = require('../support/fork-site')
const { serve, Visitor } = require('../support/http')
const { OfficialClient } = require('../support/official-client')
const { freshSet, hosts, openStore } = require('../support/server')

const cookie = () => lasting(60_000)
const PROCESSES = 3
/** How often 50 users log in at once. */
const ROUNDS = Number(process.env.LIMIT_ROUNDS ?? 5)

let official
beforeAll(async () => { official = await OfficialClient.connect(hosts()) })
afterAll(() => official.close())

const sets = []
afterAll(async () => {
  const official = await OfficialClient.connect(hosts())
  for (const set of sets) {
    for (const name of await official.indexesOf(set)) await official.removeIndex('test', name)
  }
  await official.close()
})

/** Opens a store with a limit, whose index exists. Its warnings and the digests of `evicted` are collected. */
async function openLimited (options) {
  const set = options.set ?? freshSet()
  sets.push(set)
  const store = openStore({ set, user: 'userId', maxSessionsPerUser: 3, ...options })
  const seen = { store, set, warnings: [], evicted: [] }
  store.on('warning', ({ code, message }) => seen.warnings.push(`${code}: ${message}`))
  store.on('evicted', ({ digest }) => seen.evicted.push(digest))
  await store.ready()
  return seen
}

function routes (app) {
  app.post('/login/:user', (req, res, next) => req.session.regenerate(error => {
    if (error) return next(error)
    req.session.userId = req.params.user
    req.session.save(error => error ? next(error) : res.json(req.sessionID))
  }))
  app.post('/login-here/:user', (req, res) => {
    req.session.userId = req.params.user
    res.json(req.sessionID)
  })
  app.post('/visit', (req, res) => {
    req.session.visits = (req.session.visits ?? 0) + 1
    res.json(req.sessionID)
  })
  app.get('/', (req, res) => res.status(req.session.userId === undefined ? 401 : 200).json(req.session.userId ?? null))
}

const statuses = visitors => Promise.all(visitors.map(async visitor => (await visitor.get('/')).status))

/** Waits until the session that is written next has a later time. */
const nextMillisecond = () => pass(3)

describe.each([
  ['native maps', {}],
  ['JSON', { format: 'json' }],
  ['encrypted', { encryptionKeys: [crypto.randomBytes(32)] }],
  ['hashed ids', { hashIds: 'a secret of at least 16 bytes' }],
  ['a prefix', { prefix: 'shop:' }],
  ['tombstones', { tombstones: true }],
  ['ids that are stored', { storeIds: true }],
  ['an owner by a function', { user: session => session.userId }]
])('a limit of three sessions, %s', (_, options) => {
  let seen, site
  beforeAll(async () => {
    seen = await openLimited(options)
    site = await serve(seen.store, routes)
  })
  afterAll(() => site.stop())

  test('keeps the last three of five logins, and reports the others', async () => {
    const { store, evicted, warnings } = seen
    const visitors = Array.from({ length: 5 }, () => new Visitor(site.url))
    const sids = []
    for (const visitor of visitors) {
      sids.push((await visitor.post('/login/ada')).body)
      await nextMillisecond()
    }
    expect(await statuses(visitors)).toStrictEqual([401, 401, 200, 200, 200])
    expect(await store.countOf('ada')).toBe(3)
    expect(evicted).toStrictEqual(sids.slice(0, 2).map(sid => store.digestOf(sid)))
    expect(warnings).toStrictEqual([])
  })

  test('counts each user alone', async () => {
    const visitors = ['grace', 'joan', 'grace', 'joan', 'grace', 'joan'].map(user => [user, new Visitor(site.url)])
    for (const [user, visitor] of visitors) await visitor.post(`/login/${user}`)
    expect(await statuses(visitors.map(([, visitor]) => visitor))).toStrictEqual(Array(6).fill(200))
  })

  test('keeps a session that was created before all others, if it has logged in last', async () => {
    const { store } = seen
    const early = new Visitor(site.url)
    await early.post('/visit')
    const [{ created }] = [await official.get('test', seen.set, keyOf(store, early)).then(({ bins }) => bins, () => ({}))]
    await nextMillisecond()
    const others = Array.from({ length: 3 }, () => new Visitor(site.url))
    for (const other of others) {
      await other.post('/login/mary')
      await nextMillisecond()
    }
    expect((await early.post('/login-here/mary')).status).toBe(200)
    expect(await statuses([early, ...others])).toStrictEqual([200, 401, 200, 200])
    // It keeps its creation time.
    const found = await store.sessionsOf('mary')
    expect(Math.min(...found.map(one => one.created))).toBe(found.find(one => one.visits === 1).created)
    if (created !== undefined) expect(found.find(one => one.visits === 1).created).toBe(created)
    // The next login removes the others first.
    const later = new Visitor(site.url)
    await later.post('/login/mary')
    expect(await statuses([early, ...others, later])).toStrictEqual([200, 401, 401, 200, 200])
  })
})

/** Returns the key of a visitor's record, unless it is hashed. */
function keyOf (store, visitor) {
  const [, sid] = /^s:([^.]+)\./.exec(decodeURIComponent(visitor.cookies.get('connect.sid').value))
  return store.connection.view.prefix + sid
}

describe('which sessions are removed', () => {
  test("with evict: 'idle' those that were not used for longest", async () => {
    const { store, warnings } = await openLimited({ maxSessionsPerUser: { limit: 3, evict: 'idle' } })
    const site = await serve(store, routes)
    const visitors = Array.from({ length: 4 }, () => new Visitor(site.url))
    const [first, second, third, fourth] = visitors
    for (const visitor of [first, second, third]) {
      await visitor.post('/login/ada')
      await nextMillisecond()
    }
    // A change and a touch both count.
    await first.post('/visit')
    await nextMillisecond()
    await third.get('/')
    await nextMillisecond()
    await fourth.post('/login/ada')
    expect(await statuses(visitors)).toStrictEqual([200, 401, 200, 200])
    expect(warnings).toStrictEqual([])
    await site.stop()
  })

  test("with evict: 'idle' a login counts as later than the use of others at the same time", async () => {
    const { store } = await openLimited({ maxSessionsPerUser: { limit: 2, evict: 'idle' } })
    await Promise.all(['a', 'b'].map(id => store.set(id, { cookie: cookie(), userId: 'ada' })))
    const over = new AbortController()
    const used = ['a', 'b'].map(async id => {
      while (!over.signal.aborted) {
        const session = await store.get(id)
        if (session === null) return id
        await store.touch(id, Object.assign(session, { cookie: cookie() }))
      }
    })
    await store.set('c', { cookie: cookie(), userId: 'ada' })
    over.abort()
    await Promise.all(used)
    expect(await store.get('c')).not.toBeNull()
    expect(await store.countOf('ada')).toBe(2)
  })

  test('with a limit of 1 all others', async () => {
    const { store, evicted } = await openLimited({ maxSessionsPerUser: 1 })
    for (const id of ['a', 'b']) await store.set(id, { cookie: cookie(), userId: 'ada' })
    expect(evicted).toStrictEqual([store.digestOf('a')])
  })

  test('all beyond the limit, if there were more before', async () => {
    const set = freshSet()
    const before = openStore({ set, user: 'userId' })
    await Promise.all(Array.from({ length: 250 }, (_, n) => before.set(`s${n}`, { cookie: cookie(), userId: 'ada' })))
    const { store, evicted } = await openLimited({ set })
    await store.set('last', { cookie: cookie(), userId: 'ada' })
    expect(await store.countOf('ada')).toBe(3)
    expect(new Set(evicted).size).toBe(248)
    expect(await store.get('last')).not.toBeNull()
  })

  test('when a session gets another owner, the sessions of that one', async () => {
    const { store, evicted } = await openLimited({ maxSessionsPerUser: 1 })
    await store.set('a', { cookie: cookie(), userId: 'ada' })
    await store.set('g', { cookie: cookie(), userId: 'grace' })
    const moved = await store.get('g')
    moved.userId = 'ada'
    await store.set('g', moved)
    expect(evicted).toStrictEqual([store.digestOf('a')])
    expect(await store.countOf('ada')).toBe(1)
    // The same session object, back to its first owner.
    await store.set('h', { cookie: cookie(), userId: 'grace' })
    moved.userId = 'grace'
    await store.set('g', moved)
    expect(await store.get('h')).toBeNull()
    expect(await store.countOf('ada')).toBe(0)
  })

  test('none of another prefix in the same set', async () => {
    const { store, set } = await openLimited({ maxSessionsPerUser: 1, prefix: 'a:' })
    const { store: other } = await openLimited({ set, maxSessionsPerUser: 1, prefix: 'b:' })
    await store.set('x', { cookie: cookie(), userId: 'ada' })
    await other.set('y', { cookie: cookie(), userId: 'ada' })
    expect([await store.countOf('ada'), await other.countOf('ada')]).toStrictEqual([1, 1])
  })

  test('none when a session is changed, touched or saved by a SessionStore', async () => {
    const { store, set } = await openLimited({ maxSessionsPerUser: 1 })
    await store.set('a', { cookie: cookie(), userId: 'ada' })
    const loaded = await store.get('a')
    const unlimited = openStore({ set, user: 'userId' })
    await unlimited.set('b', { cookie: cookie(), userId: 'ada' })
    await store.set('a', Object.assign(loaded, { n: 1 }))
    await store.touch('a', loaded)
    const sessions = new SessionStore({ hosts: hosts(), set })
    await sessions.save('a', { userId: 'ada', n: 2 })
    await sessions.close()
    expect(await store.countOf('ada')).toBe(2)
    await store.set('c', { cookie: cookie(), userId: 'ada' })
    expect(await store.countOf('ada')).toBe(1)
  })

  test('a session and its copy under a new id together', async () => {
    const { store, set, evicted } = await openLimited({ maxSessionsPerUser: 2 })
    const created = Date.now() - 1_000
    const bins = { data: { userId: 'ada' }, user: 'ada', created, expires: Date.now() + 60_000 }
    await official.put(['test', set, 'old'], bins, 60)
    await official.put(['test', set, 'copy'], { ...bins, renews: Buffer.from(store.digestOf('old'), 'hex') }, 60)
    await store.set('a', { cookie: cookie(), userId: 'ada' })
    expect(await store.countOf('ada')).toBe(3)
    expect(evicted).toStrictEqual([])
    await store.set('b', { cookie: cookie(), userId: 'ada' })
    expect(evicted.sort()).toStrictEqual([store.digestOf('old'), store.digestOf('copy')].sort())
    expect(await store.countOf('ada')).toBe(2)
  })

  test('sessions without a creation time first', async () => {
    const { store, set } = await openLimited({ maxSessionsPerUser: 2 })
    await official.put(['test', set, 'foreign'], { data: { userId: 'ada' }, user: 'ada' }, 60)
    for (const id of ['a', 'b']) await store.set(id, { cookie: cookie(), userId: 'ada' })
    expect(await store.get('foreign')).toBeNull()
    expect(await store.countOf('ada')).toBe(2)
  })
})

test('a session that has ended does not count', async () => {
  const { store, evicted } = await openLimited({ maxSessionsPerUser: 2 })
  await store.set('a', { cookie: lasting(50), userId: 'ada' })
  await store.set('b', { cookie: cookie(), userId: 'ada' })
  await pass(60)
  await store.set('c', { cookie: cookie(), userId: 'ada' })
  expect(evicted).toStrictEqual([])
  expect(await store.get('b')).not.toBeNull()
})

test('a login that was moved up in the order causes no conflict in the next set', async () => {
  const { store } = await openLimited({ maxSessionsPerUser: 1, format: 'json' })
  const conflicts = []
  store.on('conflict', event => conflicts.push(event))
  await store.set('early', { cookie: cookie(), n: 0 })
  await nextMillisecond()
  await store.set('a', { cookie: cookie(), userId: 'ada' })
  const early = await store.get('early')
  for (const n of [1, 2]) await store.set('early', Object.assign(early, { userId: 'ada', n }))
  expect(await store.get('early')).toMatchObject({ userId: 'ada', n: 2 })
  expect(await store.get('a')).toBeNull()
  expect(conflicts).toStrictEqual([])
})

test('evicted is emitted in the AsyncLocalStorage context of the set', async () => {
  const { store } = await openLimited({ maxSessionsPerUser: 1 })
  const context = new AsyncLocalStorage()
  await store.set('a', { cookie: cookie(), userId: 'ada' })
  const seen = new Promise(resolve => store.once('evicted', () => resolve(context.getStore())))
  await context.run('the login', () => store.set('b', { cookie: cookie(), userId: 'ada' }))
  expect(await seen).toBe('the login')
})

describe('50 logins of one user at once, in three processes', () => {
  test.each([
    ['the oldest', { evict: 'oldest' }, {}],
    ['those unused for longest', { evict: 'idle' }, {}],
    ['those unused for longest, by tombstones,', { evict: 'idle' }, { tombstones: true }]
  ])(`leave three, %s removed, ${ROUNDS} times`, async (_, order, more) => {
    const { store, set } = await openLimited({})
    const options = { hosts: hosts(), set, user: 'userId', maxSessionsPerUser: { limit: 3, ...order }, ...more }
    const sites = await Promise.all(Array.from({ length: PROCESSES }, () => forkSite('limited-site.js', { options })))
    const [evicted, warnings] = [[], []]
    for (const { events } of sites) {
      events.on('evicted', ({ digest }) => evicted.push(digest))
      events.on('warning', warning => warnings.push(warning))
    }
    for (let round = 0; round < ROUNDS; round++) {
      const visitors = Array.from({ length: 50 }, (_, n) => new Visitor(sites[n % PROCESSES].url))
      const logins = await Promise.all(visitors.map(visitor => visitor.post(`/login/user-${round}`)))
      expect(logins.map(({ status }) => status)).toStrictEqual(Array(50).fill(200))
      const left = (await statuses(visitors)).filter(status => status === 200)
      expect(left).toHaveLength(3)
      expect(await store.countOf(`user-${round}`)).toBe(3)
      // A login at rest is never removed: the next one is among those that are left.
      const later = new Visitor(sites[round % PROCESSES].url)
      await later.post(`/login/user-${round}`)
      expect(await statuses([later])).toStrictEqual([200])
      expect(await store.countOf(`user-${round}`)).toBe(3)
    }
    expect(warnings).toStrictEqual([])
    // Each is reported by one process.
    while (evicted.length < 48 * ROUNDS) await pass(10)
    expect(new Set(evicted).size).toBe(48 * ROUNDS)
    expect(evicted).toHaveLength(48 * ROUNDS)
  }, 60_000 + ROUNDS * 5_000)
})

describe('the index', () => {
  test('is created by ready()', async () => {
    const set = freshSet()
    sets.push(set)
    const store = openStore({ set, user: 'userId', maxSessionsPerUser: 3 })
    await store.ready()
    expect(await official.indexesOf(set)).toStrictEqual([`user-${set}`])
    const without = freshSet()
    await openStore({ set: without, user: 'userId' }).ready()
    expect(await official.indexesOf(without)).toStrictEqual([])
  })

  test('is created in the background by the first login that finds none', async () => {
    const set = freshSet()
    sets.push(set)
    const store = openStore({ set, user: 'userId', maxSessionsPerUser: 1 })
    const warned = once(store, 'warning')
    for (const id of ['a', 'b']) await store.set(id, { cookie: cookie(), userId: 'ada' })
    expect(await store.countOf('ada')).toBe(1)
    expect((await warned)[0].code).toBe('NO_USER_INDEX')
    while ((await official.indexesOf(set)).length === 0) await pass(20)
  })
})

describe('if the limit cannot be enforced, the login succeeds, with a warning', () => {
  let server
  beforeAll(async () => { server = await DevServer.start() })
  afterAll(() => server.stop())

  const open = async (options = {}) => {
    const store = new AerospikeStore({ hosts: server.hosts, set: freshSet(), user: 'userId', maxSessionsPerUser: 1, ...options })
    await store.ready()
    await store.set('a', { cookie: cookie(), userId: 'ada' })
    return store
  }

  test.each([
    ['the query fails', { kind: 'code', code: 22, on: 'query' }, /forbids/],
    ['the removal fails', { kind: 'code', code: 22, on: 'delete' }, /forbids/],
    ['the query is not answered in time', { kind: 'latency', ms: 60_000, on: 'query' }, /no answer within/]
  ])('%s', async (_, fault, words) => {
    const store = await open({ timeout: 500 })
    const injected = await server.inject(fault)
    const warned = once(store, 'warning')
    const start = performance.now()
    await store.set('b', { cookie: cookie(), userId: 'ada' })
    expect(performance.now() - start).toBeLessThan(5_000)
    const [{ code, message }] = await warned
    expect(code).toBe('LIMIT_NOT_ENFORCED')
    expect(message).toMatch(words)
    expect(message).not.toContain('ada')
    await injected.remove()
    expect(await store.get('b')).toMatchObject({ userId: 'ada' })
    expect(await store.countOf('ada')).toBe(2)
    // The next login enforces it.
    await store.set('c', { cookie: cookie(), userId: 'ada' })
    expect(await store.countOf('ada')).toBe(1)
    await store.close()
  })
})

test('a login of the store that may not create the index is no error', async () => {
  const server = await DevServer.start({ security: { users: { web: { password: 'secret', roles: ['read-write'] } } } })
  const store = new AerospikeStore({ hosts: server.hosts, auth: { user: 'web', password: 'secret' }, user: 'userId', maxSessionsPerUser: 1 })
  const warnings = []
  store.on('warning', ({ code }) => warnings.push(code))
  await store.ready()
  for (const id of ['a', 'b']) await store.set(id, { cookie: cookie(), userId: 'ada' })
  expect(await store.countOf('ada')).toBe(1)
  expect(warnings).toStrictEqual(['NO_USER_INDEX'])
  await store.close()
  await server.stop()
})

describe('a wrong limit is refused', () => {
  test.each([
    [0], [1_001], [1.5], ['3'], [null], [{}], [{ limit: 0 }], [{ limit: 3, evict: 'newest' }], [{ limit: 3, evikt: 'idle' }], [[3]], [true], [undefined]
  ])('%p', value => {
    expect(() => new AerospikeStore({ user: 'userId', maxSessionsPerUser: value }))
      .toThrow(expect.objectContaining({ code: 'BAD_OPTION', message: expect.stringContaining('maxSessionsPerUser') }))
  })

  test('without an owner', () => {
    for (const options of [{}, { user: undefined }, { user: 'login', password: 'secret' }]) {
      expect(() => new AerospikeStore({ ...options, maxSessionsPerUser: 3 }))
        .toThrow(expect.objectContaining({ code: 'BAD_OPTION', message: expect.stringContaining("needs option 'user'") }))
    }
  })
})
