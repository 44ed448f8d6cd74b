'use strict'

// How a store handles result code 22. A server returns it for writes with a TTL if nothing removes expired records, but also for
// other reasons. The tests use a dev server with prescribed answers.

const { AerospikeStore, SessionStore } = require('../..')
const { DevServer } = require('../../exports/dev-server')
const { cookie: lasting } = require('../support/cookie')
const { OfficialClient } = require('../support/official-client')

const FORBIDDEN = 22
const NEVER = -1

let server, official
beforeAll(async () => {
  server = await DevServer.start()
  official = await OfficialClient.connect(server.hosts)
})
afterAll(async () => {
  await official.close()
  await server.stop()
})
afterEach(() => server.clearFaults())

const stores = []
afterAll(async () => { for (const store of stores) await store.close() })

function open (Store, options = {}) {
  const store = new Store({ hosts: server.hosts, ...options })
  const warnings = []
  store.on('warning', ({ code }) => warnings.push(code))
  stores.push(store)
  return { store, warnings }
}

const ttlOf = async (id, namespace = 'test') => (await official.get(namespace, 'sessions', id)).ttl

describe.each([['as a map', {}], ['as JSON', { format: 'json' }], ['encrypted', { encryptionKeys: [Buffer.alloc(32, 1)] }], ['with absoluteTtl', { absoluteTtl: 3_600 }]])('a refusal that passes, %s', (form, options) => {
  /** Each kind of write with a TTL to an existing session. */
  const WAYS = {
    save: ({ sessions }, id) => sessions.save(id, { n: 2 }),
    'touch of the recipe': ({ sessions }, id) => sessions.touch(id),
    set: ({ store }, id) => store.set(id, { cookie: lasting(60_000), n: 2 }),
    'set of a loaded session': async ({ store }, id) => {
      const loaded = await store.get(id)
      loaded.n = 2
      await server.inject({ kind: 'code', code: FORBIDDEN, on: ['write', 'touch'], times: 1 })
      await store.set(id, loaded)
      // And again, without another read.
      loaded.n = 3
      await store.set(id, loaded)
      expect(await store.get(id)).toMatchObject({ n: 3 })
    },
    touch: async ({ store }, id) => {
      const loaded = await store.get(id)
      loaded.cookie.expires = new Date(Date.now() + 600_000)
      await server.inject({ kind: 'code', code: FORBIDDEN, on: ['write', 'touch'], times: 1 })
      await store.touch(id, loaded)
    }
  }

  test.each(Object.keys(WAYS))('leaves neither this session nor the next without a TTL: %s', async way => {
    const { store, warnings } = open(AerospikeStore, options)
    const { store: sessions, warnings: more } = open(SessionStore, options)
    const id = `${form} ${way}`
    await store.set(id, { cookie: lasting(60_000), n: 1 })
    if (!way.includes('loaded') && way !== 'touch') await server.inject({ kind: 'code', code: FORBIDDEN, on: ['write', 'touch'], times: 1 })
    await WAYS[way]({ store, sessions }, id)
    expect((await server.faults()).every(({ remaining }) => remaining !== 1)).toBe(true)
    expect(await ttlOf(id)).toBeGreaterThan(0)
    await store.set(`${id} next`, { cookie: lasting(60_000) })
    await sessions.save(`${id} last`, {})
    for (const one of ['next', 'last']) expect(await ttlOf(`${id} ${one}`)).toBeGreaterThan(0)
    expect([...warnings, ...more]).toStrictEqual([])
  })
})

test('a namespace that refuses TTLs is detected once, with one warning', async () => {
  const { store, warnings } = open(AerospikeStore, { namespace: 'nottl' })
  for (const id of ['a', 'b', 'c']) await store.set(id, { cookie: lasting(60_000), n: 1 })
  const loaded = await store.get('b')
  loaded.n = 2
  await store.set('b', loaded)
  expect(await store.get('b')).toMatchObject({ n: 2 })
  for (const id of ['a', 'b', 'c']) expect(await ttlOf(id, 'nottl')).toBe(NEVER)
  expect(warnings).toStrictEqual(['TTL_REFUSED'])
})

describe('a session that was stored with a TTL expires on time if TTLs are refused later', () => {
  afterEach(() => server.configure('test', { nsupPeriod: 120 }))

  test.each([['set', 300], ['touch', 300]])('if a %s shortens its lifetime', async (method, life) => {
    const { store } = open(AerospikeStore)
    const id = `shorter by ${method}`
    await store.set(id, { cookie: lasting(60_000), n: 1 })
    await server.configure('test', { nsupPeriod: 0 })
    const loaded = await store.get(id)
    loaded.cookie.expires = new Date(Date.now() + life)
    await store[method](id, loaded)
    expect(await store.get(id)).toMatchObject({ cookie: { expires: loaded.cookie.expires.toISOString() } })
    await new Promise(resolve => setTimeout(resolve, life))
    expect(await store.get(id)).toBeNull()
  })

  test.each(['set', 'touch'])('if a %s extends its lifetime', async method => {
    const { store } = open(AerospikeStore)
    const id = `longer by ${method}`
    await store.set(id, { cookie: lasting(1_000), n: 1 })
    await server.configure('test', { nsupPeriod: 0 })
    const loaded = await store.get(id)
    loaded.cookie.expires = new Date(Date.now() + 60_000)
    await store[method](id, loaded)
    await new Promise(resolve => setTimeout(resolve, 2_100))
    expect(await store.get(id)).toMatchObject({ n: 1 })
  })
})

test('a process that only reads writes its touches with touchOnRead if the namespace refuses TTLs', async () => {
  const options = { namespace: 'nottl', set: 'only-read' }
  const { store: writing } = open(AerospikeStore, options)
  await writing.set('a', { cookie: lasting(400), n: 1 })
  // This process does not know yet that TTLs are refused.
  const { store: reading } = open(AerospikeStore, { ...options, touchOnRead: 80 })
  const session = await reading.get('a')
  session.cookie.expires = new Date(Date.now() + 60_000)
  await reading.touch('a', session)
  await new Promise(resolve => setTimeout(resolve, 500))
  expect(await reading.get('a')).toMatchObject({ n: 1 })
})
