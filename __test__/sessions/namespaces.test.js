'use strict'

// A namespace that does not exist, and one that is only late.

const { once } = require('node:events')
const { AerospikeStore, SessionStore } = require('../..')
const { open, start } = require('../support/opened')
const { startRewritingServer } = require('../support/proxied-server')
const { freshSet, hosts } = require('../support/server')

const MISSING = 'no-such-namespace'
/** Milliseconds: far below `timeout`, which such an operation once took. */
const AT_ONCE = 1_000

const failure = work => work.then(() => { throw new Error('it did not fail') }, error => error)

const session = () => ({ cookie: { originalMaxAge: 60_000 }, userId: 'ada' })

describe('a namespace that does not exist', () => {
  let store, sessions

  beforeAll(() => {
    const options = { hosts: hosts(), set: freshSet(), namespace: MISSING, timeout: 5_000 }
    store = new AerospikeStore({ ...options, user: 'userId', storeIds: true })
    sessions = new SessionStore(options)
  })

  afterAll(() => Promise.all([store.close(), sessions.close()]))

  test.each([
    ['ready', () => store.ready()],
    ['get', () => store.get('a')],
    ['set', () => store.set('a', session())],
    ['touch', () => store.touch('a', session())],
    ['destroy', () => store.destroy('a')],
    ['all', () => store.all()],
    ['length', () => store.length()],
    ['ids', () => store.ids()],
    ['clear', () => store.clear()],
    ['prune', () => store.prune()],
    ['sessionsOf', () => store.sessionsOf('ada')],
    ['countOf', () => store.countOf('ada')],
    ['destroyOf', () => store.destroyOf('ada')],
    ['createUserIndex', () => store.createUserIndex()],
    ['ready', () => sessions.ready()],
    ['get', () => sessions.get('a')],
    ['save', () => sessions.save('a', {})],
    ['touch', () => sessions.touch('a')],
    ['delete', () => sessions.delete('a')],
    ['has', () => sessions.has('a')]
  ])('fails %s at once, with its name and that of the option', async (operation, work) => {
    const began = performance.now()
    expect(await failure(work())).toMatchObject({
      code: 'NAMESPACE',
      retryable: false,
      inDoubt: false,
      resultCode: 20,
      message: `${operation}: the cluster has no namespace '${MISSING}' (option 'namespace')`
    })
    expect(performance.now() - began).toBeLessThan(AT_ONCE)
  })

  test('fails many operations at once, which share one request to the nodes', async () => {
    const began = performance.now()
    const errors = await Promise.all(Array.from({ length: 1_000 }, (_, n) => failure(sessions.get(`s${n}`))))
    expect(new Set(errors.map(({ code }) => code))).toEqual(new Set(['NAMESPACE']))
    expect(performance.now() - began).toBeLessThan(2 * AT_ONCE)
  })

  test('fails operations on a cluster of three, too', async () => {
    const server = await start({ nodes: 3 })
    const began = performance.now()
    for (const work of ['get', 'delete']) {
      expect(await failure(open(server, { namespace: MISSING })[work]('a'))).toMatchObject({ code: 'NAMESPACE' })
    }
    expect(performance.now() - began).toBeLessThan(AT_ONCE)
  })
})

describe('a namespace error', () => {
  test.each(['read', 'write', 'query'])('of a node contains the namespace (%s)', async on => {
    const server = await start()
    await server.inject({ kind: 'code', code: 20, on })
    const store = new AerospikeStore({ hosts: server.hosts, timeout: 500 })
    const work = { read: () => store.get('a'), write: () => store.set('a', session()), query: () => store.length() }[on]
    const error = await failure(work())
    await store.close()
    expect(error).toMatchObject({ code: 'NAMESPACE', message: expect.stringContaining("has no namespace 'test' (option 'namespace')") })
  })
})

describe('a namespace whose partitions are not known yet', () => {
  /** Until it is `reported`, the server reports the partitions of another namespace. */
  async function late (namespaces) {
    const state = { reported: false }
    const server = await startRewritingServer((command, value) => {
      if (command === 'namespaces') return namespaces ?? value
      if (command === 'partition-generation') return state.reported ? '2' : '1'
      return command === 'replicas' && !state.reported ? value.replace('test:', 'early:') : value
    })
    return Object.assign(server, { report: () => { state.reported = true } })
  }

  test('is waited for', async () => {
    const server = await late()
    const store = new AerospikeStore({ hosts: server.hosts, set: freshSet() })
    await store.ready()
    const waiting = [store.set('a', session()), store.get('b'), store.length(), store.createUserIndex()]
    const settled = Promise.allSettled(waiting)
    const first = await Promise.race([Promise.any(waiting), new Promise(resolve => setTimeout(resolve, 300, 'waits'))])
    expect(first).toBe('waits')
    server.report()
    expect((await settled).map(({ reason }) => reason)).toEqual([undefined, undefined, undefined, undefined])
    await store.close()
    await server.stop()
  })

  test.each([
    ['it is in the list of the nodes', undefined],
    ['the nodes do not answer', 'ERROR:4:try again']
  ])('is not reported as missing while %s', async (_, namespaces) => {
    const server = await late(namespaces)
    const store = new AerospikeStore({ hosts: server.hosts, timeout: 300 })
    await store.ready()
    for (const work of [store.get('a'), store.set('a', session()), store.length(), store.createUserIndex()]) {
      expect(await failure(work)).toMatchObject({
        code: 'UNAVAILABLE', retryable: true, message: expect.stringContaining("partitions of namespace 'test' (option 'namespace')")
      })
    }
    await store.close()
    await server.stop()
  })

  test('is not reported as missing while a node is silent', async () => {
    const server = await start({ nodes: 2 })
    const sessions = open(server, { namespace: MISSING, timeout: 500 })
    await once(sessions, 'up')
    await server.inject({ kind: 'freeze', node: 1 })
    expect(await failure(sessions.get('a'))).toMatchObject({ code: 'UNAVAILABLE', retryable: true })
  })
})

test("durableDelete on the Community Edition is rejected with the option's name", async () => {
  const server = await start()
  const sessions = open(server, { durableDelete: true })
  await sessions.save('a', {})
  expect(await failure(sessions.delete('a'))).toMatchObject({ code: 'SERVER', resultCode: 25, message: expect.stringContaining("option 'durableDelete' needs the Enterprise Edition") })
})
