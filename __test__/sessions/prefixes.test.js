'use strict'

// Option `prefix` isolates stores that share a set: none reads, changes, counts or removes the sessions of another, whatever the
// prefixes are and whatever id a visitor sends.

const crypto = require('node:crypto')
const fc = require('fast-check')
const { AerospikeStore, SessionStore } = require('../..')
const { cookie: lasting } = require('../support/cookie')
const { serve, Visitor } = require('../support/http')
const { OfficialClient } = require('../support/official-client')
const { freshSet, hosts, openSessions, openStore } = require('../support/server')

jest.setTimeout(120_000)

const SECRET = 'a secret of more than 16 bytes'
const KEY = crypto.randomBytes(32)
const cookie = () => lasting(60_000)

let official
beforeAll(async () => { official = await OfficialClient.connect(hosts()) })
afterAll(() => official.close())

/** Every option that changes how a session is read, written or removed. */
const OPTIONS = [
  {}, { hashIds: SECRET }, { tombstones: true }, { storeIds: true }, { absoluteTtl: 3_600 }, { format: 'json' }, { encryptionKeys: [KEY] },
  { touchOnRead: 80 }, { conflict: 'overwrite' }, { touchAfter: 60 }, { tombstones: true, absoluteTtl: 3_600, encryptionKeys: [KEY] },
  { hashIds: SECRET, encryptionKeys: [KEY], tombstones: true }
]

describe("an id that makes the key of another store's session", () => {
  const set = freshSet()
  const forum = openStore({ set, prefix: 'forum:', user: 'user' })
  const root = openStore({ set, user: 'user' })
  const recipe = openSessions({ set })
  let victim

  beforeEach(async () => {
    await forum.set('x1', { cookie: cookie(), user: 'ada', n: 1 })
    victim = await forum.get('x1')
  })

  afterEach(async () => {
    expect(await forum.get('x1')).toStrictEqual(victim)
  })

  test('is not read', async () => {
    expect(await root.get('forum:x1')).toBeNull()
    expect(await recipe.get('forum:x1')).toBeNull()
    expect(await recipe.has('forum:x1')).toBe(false)
  })

  test('is not touched', async () => {
    await root.touch('forum:x1', { cookie: lasting(600_000) })
    expect(await recipe.touch('forum:x1', { ttl: 600 })).toBe(false)
  })

  test('is not removed', async () => {
    await root.destroy('forum:x1')
    expect(await recipe.delete('forum:x1')).toBe(false)
    await root.set('forum:x1', { cookie: { expires: new Date(Date.now() - 1_000) } })
    await root.clear()
  })

  test('is rejected for a new session, with a reason that does not quote it', async () => {
    const refused = { code: 'BAD_KEY', retryable: false, inDoubt: false, message: expect.stringMatching(/^(set|save): this session id cannot be used.*'prefix'/) }
    for (const attempt of [() => root.set('forum:x1', { cookie: cookie(), n: 2 }), () => recipe.save('forum:x1', { n: 2 })]) {
      const error = await attempt().then(() => null, error => error)
      expect(error).toMatchObject(refused)
      expect(error.message).not.toMatch(/forum|x1/)
    }
  })

  test("is not counted as a user's session, listed or logged out by the other store", async () => {
    root.on('warning', () => {})
    expect(await root.countOf('ada')).toBe(0)
    expect(await root.sessionsOf('ada')).toStrictEqual([])
    expect(await root.destroyOf('ada')).toBe(0)
    expect(await root.length()).toBe(0)
  })

  test('is not changed by a request that loaded its own session under that id', async () => {
    const set = freshSet()
    const [outer, inner] = [openStore({ set }), openStore({ set, prefix: 'in:' })]
    await outer.set('in:a', { cookie: cookie(), n: 1 })
    const loaded = await outer.get('in:a')
    await outer.destroy('in:a')
    await inner.set('a', { cookie: cookie(), n: 2 })
    loaded.n = 3
    const gone = new Promise(resolve => outer.once('gone', resolve))
    await outer.set('in:a', loaded)
    await gone
    await outer.touch('in:a', loaded)
    expect(await inner.get('a')).toMatchObject({ n: 2 })
  })
})

test('a visitor cannot log in to the shop with a session of the beta site', async () => {
  const set = freshSet()
  for (const options of [{}, { hashIds: SECRET }]) {
    const [shop, beta] = ['shop:', 'shop:beta:'].map(prefix => openStore({ set, prefix, ...options }))
    await beta.set('X', { cookie: cookie(), user: 'admin' })
    // As in a site whose cookie is not signed: the visitor sends any id.
    const site = await serve(shop, app => app.get('/', (req, res, next) => shop.get(req.query.id, (error, session) => error ? next(error) : res.json(session?.user ?? null))))
    expect((await new Visitor(site.url).get('/?id=beta:X')).body).toBeNull()
    await site.stop()
    expect(await beta.get('X')).toMatchObject({ user: 'admin' })
  }
})

test('with hashed ids any two prefixes have different keys, so that both keep a session', async () => {
  const set = freshSet()
  const [shop, beta] = ['shop:', 'shop:beta:'].map(prefix => openStore({ set, prefix, hashIds: SECRET }))
  await beta.set('X', { cookie: cookie(), n: 1 })
  await shop.set('beta:X', { cookie: cookie(), n: 2 })
  expect(await beta.get('X')).toMatchObject({ n: 1 })
  expect(await shop.get('beta:X')).toMatchObject({ n: 2 })
})

describe('a record of other clients', () => {
  const set = freshSet()
  const [root, shop] = [openStore({ set }), openStore({ set, prefix: 'shop:' })]

  test('without bin prefix belongs to stores without a prefix', async () => {
    await official.put(['test', set, 'shop:a'], { data: { n: 1 } }, 60)
    expect(await root.get('shop:a')).toMatchObject({ n: 1 })
    expect(await shop.get('a')).toBeNull()
    await expect(shop.set('a', { cookie: cookie() })).rejects.toMatchObject({ code: 'BAD_KEY' })
  })

  test.each([['a number', 7], ['a list', ['shop:']], ['a map', { 'shop:': 1 }], ['bytes', Buffer.from('shop:')]])('belongs to no store if bin prefix has %s, and is replaced by a session', async (_, prefix) => {
    for (const [store, id] of [[root, 'shop:a'], [shop, 'a']]) {
      await official.put(['test', set, 'shop:a'], { data: { n: 1 }, prefix }, 60)
      expect(await store.get(id)).toBeNull()
      await store.touch(id, { cookie: cookie() })
      await store.destroy(id)
      expect(await store.length()).toBe(0)
      expect((await official.get('test', set, 'shop:a')).bins.prefix).toStrictEqual(prefix)
      await store.set(id, { cookie: cookie(), n: 2 })
      expect(await store.get(id)).toMatchObject({ n: 2 })
      expect(await store.length()).toBe(1)
      await store.destroy(id)
      expect(await store.get(id)).toBeNull()
    }
  })
})

describe('two stores, whatever their prefixes', () => {
  // With few letters, one store's prefix and id often make the key of the other.
  const text = least => fc.oneof(
    { weight: 4, arbitrary: fc.string({ unit: fc.constantFrom('a', 'b', ':'), minLength: least, maxLength: 3 }) },
    { weight: 1, arbitrary: fc.string({ unit: 'grapheme', minLength: least, maxLength: 6 }) }
  )
  const steps = fc.array(fc.tuple(fc.nat({ max: 1 }), fc.nat({ max: 5 }), fc.constantFrom(
    'set', 'set', 'save', 'get', 'change', 'touch', 'recipeTouch', 'has', 'destroy', 'delete', 'all', 'length', 'sessionsOf', 'countOf', 'destroyOf', 'clear', 'prune'
  )), { minLength: 4, maxLength: 24 })
  const histories = fc.record({
    prefixes: fc.tuple(text(0), text(0)).filter(([one, other]) => one !== other),
    ids: fc.array(text(1), { minLength: 3, maxLength: 3 }),
    steps
  })

  test.each(OPTIONS.map(options => [Object.keys(options).join(', ') || 'no options', options]))('keep their sessions separate, with %s', async (_, options) => {
    await fc.assert(fc.asyncProperty(histories, ({ prefixes, ids, steps }) => play(options, prefixes, ids, steps)), { numRuns: 15 })
  })

  /** Runs a history, and compares each answer with that of two separate maps. */
  async function play (options, prefixes, ids, steps) {
    const set = freshSet()
    const { conflict, touchAfter, ...recipe } = options
    const views = prefixes.map(prefix => {
      const client = new SessionStore({ hosts: hosts(), set, prefix, ...recipe })
      client.on('warning', () => {})
      const store = new AerospikeStore({ client, user: 'user', ...(conflict && { conflict }), ...(touchAfter && { touchAfter }) })
      store.on('warning', () => {})
      return { client, store, prefix, known: new Map(), used: new Set() }
    })
    // Ids of both, and those that make the key of the other's session if one prefix begins with the other.
    const candidates = [...ids, ...ids.map(id => (prefixes[1].slice(prefixes[0].length) + id).toWellFormed())]
    try {
      for (const [n, [which, id, method]] of steps.entries()) await step(views[which], views[1 - which], candidates[id], method, n)
      for (const view of views) await compare(view)
    } finally {
      for (const { store, client } of views) {
        await store.clear()
        await client.close()
      }
    }
  }

  async function compare ({ store, known, prefix }) {
    expect(await store.length()).toBe(known.size)
    expect((await store.all()).map(({ n }) => n).sort()).toStrictEqual([...known.values()].map(({ n }) => n).sort())
    for (const [id, { n }] of known) expect({ prefix, id, ...await store.get(id) }).toMatchObject({ n })
  }

  const usersOf = ({ known }, wanted) => [...known].filter(([, { user }]) => user === wanted)

  async function step (view, other, id, method, n) {
    const { store, client, known } = view
    const session = known.get(id)
    const write = async (write, data) => {
      try {
        await write(data)
        known.set(id, data)
        view.used.add(id)
      } catch (error) {
        // Rejected only if the other store has, or had, the same key.
        expect(error.code).toBe('BAD_KEY')
        expect([...other.used].map(one => other.prefix + one)).toContain(view.prefix + id)
        expect(session).toBeUndefined()
      }
    }
    switch (method) {
      case 'set': return write(data => store.set(id, { cookie: cookie(), ...data }), { n, user: 'ada' })
      // The recipe writes only data, so the owner of the session stays the same.
      case 'save': return write(data => client.save(id, { n: data.n }), { n, user: session?.user })
      case 'change': {
        const loaded = await store.get(id)
        expect(loaded?.n).toBe(session?.n)
        if (loaded === null) return
        loaded.n = n
        loaded.user = 'grace'
        await store.set(id, loaded)
        return known.set(id, { n, user: 'grace' })
      }
      case 'get': return expect([(await store.get(id))?.n, (await client.get(id))?.n]).toStrictEqual([session?.n, session?.n])
      case 'touch': return store.touch(id, { cookie: cookie() })
      case 'recipeTouch': return expect(await client.touch(id)).toBe(session !== undefined)
      case 'has': return expect(await client.has(id)).toBe(session !== undefined)
      case 'destroy': {
        await store.destroy(id)
        return known.delete(id)
      }
      case 'delete': return expect(await client.delete(id)).toBe(known.delete(id))
      case 'all': return compare(view)
      case 'length': return expect(await store.length()).toBe(known.size)
      case 'sessionsOf': return expect((await store.sessionsOf('ada')).map(({ n }) => n).sort()).toStrictEqual(usersOf(view, 'ada').map(([, { n }]) => n).sort())
      case 'countOf': return expect(await store.countOf('grace')).toBe(usersOf(view, 'grace').length)
      case 'destroyOf': {
        const theirs = usersOf(view, 'ada')
        expect(await store.destroyOf('ada')).toBe(theirs.length)
        for (const [id] of theirs) known.delete(id)
        return
      }
      case 'prune': return expect(await store.prune()).toBe(0)
      default:
        await store.clear()
        return known.clear()
    }
  }
})
