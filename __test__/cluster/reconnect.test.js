'use strict'

// Writes in doubt, and the operations that follow them. After a successful set, the record holds the application's session,
// whatever happened to the write before.

const { AerospikeStore } = require('../..')
const { cookie: lasting } = require('../support/cookie')
const { open, start } = require('../support/opened')

const TIMEOUT = 400
const OPTIONS = [
  ['as a map', {}], ['as JSON', { format: 'json' }], ['encrypted', { encryptionKeys: [Buffer.alloc(32, 1)] }],
  ['with overwrite', { conflict: 'overwrite' }], ['with touchAfter', { touchAfter: 3_600 }], ['with touchOnRead', { touchOnRead: 80 }],
  ['with storeIds', { storeIds: true }]
]

const caught = promise => promise.then(() => { throw new Error('no error') }, error => error)

describe.each(OPTIONS)('a write that failed but was applied, %s', (_, options) => {
  let server, store

  beforeEach(async () => {
    server = await start()
    store = open(server, { timeout: TIMEOUT, ...options }, AerospikeStore)
    await store.set('a', { cookie: lasting(60_000), n: 0, old: true })
  })

  /** Loses the answers of all writes until the fault is removed. */
  const lose = () => server.inject({ kind: 'silent', when: 'after', on: 'write' })

  test('is undone by a set of the original session', async () => {
    const session = await store.get('a')
    Object.assign(session, { n: 1, added: true })
    delete session.old
    const fault = await lose()
    expect(await caught(store.set('a', session))).toMatchObject({ inDoubt: true })
    await fault.remove()
    Object.assign(session, { n: 0, old: true })
    delete session.added
    await store.set('a', session)
    const { cookie, id, ...data } = await store.get('a')
    expect(data).toStrictEqual({ n: 0, old: true })
  })

  test('is undone by a set that was called before it failed', async () => {
    const session = await store.get('a')
    session.n = 1
    const fault = await lose()
    const failing = caught(store.set('a', session))
    session.n = 0
    const following = new Promise(resolve => setTimeout(resolve, TIMEOUT / 2)).then(() => store.set('a', session))
    expect(await failing).toMatchObject({ inDoubt: true })
    await fault.remove()
    await following.catch(() => store.set('a', session))
    expect(await store.get('a')).toMatchObject({ n: 0 })
  })

  test('does not affect keys that others wrote, unless it wrote them too', async () => {
    const session = await store.get('a')
    session.n = 1
    const fault = await lose()
    expect(await caught(store.set('a', session))).toMatchObject({ inDoubt: true })
    await fault.remove()
    const other = await store.get('a')
    Object.assign(other, { theirs: true, old: false })
    await store.set('a', other)
    session.n = 0
    await store.set('a', session)
    const now = await store.get('a')
    expect(now).toMatchObject(options.conflict === undefined ? { n: 0, theirs: true, old: false } : { n: 0, old: true })
  })

  test('leaves no wrong expiry or cookie: the next set or touch is always written', async () => {
    for (const method of ['set', 'touch']) {
      await store.set('b', { cookie: lasting(60_000), n: 0 })
      const session = await store.get('b')
      const { cookie } = session
      session.cookie = { ...cookie, path: '/elsewhere', expires: new Date(Date.now() + 2 * TIMEOUT) }
      const fault = await lose()
      expect(await caught(store.touch('b', session))).toMatchObject({ inDoubt: true })
      await fault.remove()
      session.cookie = cookie
      await store[method]('b', session)
      await new Promise(resolve => setTimeout(resolve, 2 * TIMEOUT))
      expect(await store.get('b')).toMatchObject({ n: 0, cookie })
    }
  })

  test('does not make the next touch of a removed session emit gone', async () => {
    const gone = []
    store.on('gone', event => gone.push(event))
    const session = await store.get('a')
    session.n = 1
    const fault = await lose()
    await caught(store.set('a', session))
    await fault.remove()
    await store.destroy('a')
    await store.touch('a', session)
    await new Promise(resolve => setImmediate(resolve))
    expect(gone).toStrictEqual([])
    expect(await store.get('a')).toBeNull()
  })
})

test.each(OPTIONS)('an operation of several commands is in doubt if one of them is, %s', async (_, options) => {
  const server = await start()
  const store = open(server, { timeout: TIMEOUT, ...options }, AerospikeStore)
  await store.set('a', { cookie: lasting(60_000), n: 0 })
  const session = await store.get('a')
  session.n = 1
  // Applied, but answered with TIMEOUT: the retry finds another generation, and the read fails.
  await server.inject({ kind: 'code', code: 9, when: 'after', on: 'write', times: 1 })
  await server.inject({ kind: 'drop', on: 'read' })
  const error = await store.set('a', session).catch(error => error)
  await server.clearFaults()
  expect(await store.get('a')).toMatchObject({ n: 1 })
  if (error !== undefined) expect(error).toMatchObject({ inDoubt: true })
})

describe('a store that is closed with operations in flight', () => {
  test('fails each operation with CLOSED, and sets inDoubt for writes that may have been applied', async () => {
    const server = await start()
    const store = open(server, { timeout: 5_000 }, AerospikeStore)
    await store.set('a', { cookie: lasting(60_000), n: 0 })
    await server.inject({ kind: 'silent', when: 'after' })
    const session = { cookie: lasting(60_000), n: 1 }
    const asked = [store.set('a', session), store.destroy('b'), store.get('c'), store.clear(), store.length()]
    // The first is in flight. The second waits behind it for the same session.
    asked.push(store.set('a', { ...session, n: 2 }))
    await new Promise(resolve => setTimeout(resolve, 100))
    const answers = Promise.all(asked.map(caught))
    await store.close()
    expect((await answers).map(({ code, inDoubt }) => [code, inDoubt])).toEqual([
      ['CLOSED', true], ['CLOSED', true], ['CLOSED', false], ['CLOSED', true], ['CLOSED', false], ['CLOSED', false]
    ])
  }, 20_000)
})
