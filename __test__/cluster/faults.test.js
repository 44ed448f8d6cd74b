'use strict'

// What users of an application see while its server misbehaves: the store with each fault of a dev server. The tests start
// their own servers, so that they can break them.

const net = require('node:net')
const { once } = require('node:events')
const { AerospikeSessionError, AerospikeStore, SessionStore } = require('../..')
const { DevServer } = require('../../exports/dev-server')
const { serve, Visitor } = require('../support/http')
const { cookie } = require('../support/cookie')

let server
const open = []

beforeAll(async () => { server = await DevServer.start() })
afterEach(async () => {
  await server.clearFaults()
  for (const one of open.splice(0).reverse()) await (one.close?.() ?? one.stop())
  await server.configure('test', { nsupPeriod: 120 })
})
afterAll(() => server.stop())

/** Opens a connected store, so that faults do not affect connecting. */
async function openStore (Store = AerospikeStore, options = {}) {
  const store = new Store({ hosts: server.hosts, ...options })
  open.push(store)
  await store.ready()
  return store
}

const caught = promise => promise.then(() => { throw new Error('no error') }, error => error)

/** Starts a shop that counts visits, with a visitor who has been there once. */
async function shop (store) {
  const app = await serve(store, app => app.get('/', (req, res) => {
    if (req.session === undefined) return res.json('anonymous')
    req.session.visits = (req.session.visits ?? 0) + 1
    res.json(req.session.visits)
  }))
  open.push(app)
  const visitor = Object.assign(new Visitor(app.url), { errors: app.errors })
  expect((await visitor.get('/')).body).toBe(1)
  return visitor
}

describe('a lost connection', () => {
  test.each(
    ['drop', 'reset'].flatMap(kind => ['before', 'after', 'midReply'].map(when => [kind, when]))
  )('(%s, %s) is not visible to a visitor: the change is stored once', async (kind, when) => {
    const visitor = await shop(await openStore())
    const onWrite = await server.inject({ kind, when, on: 'write', times: 1 })
    expect(await visitor.get('/')).toStrictEqual({ status: 200, body: 2 })
    expect(await onWrite.struck()).toBe(1)
    const onRead = await server.inject({ kind, when, on: 'read', times: 1 })
    expect(await visitor.get('/')).toStrictEqual({ status: 200, body: 3 })
    expect(await onRead.struck()).toBe(1)
  })

  test('does not restore a destroyed session', async () => {
    const store = await openStore()
    await store.set('sid', { cookie: cookie(60_000), n: 1 })
    const fault = await server.inject({ kind: 'reset', when: 'after', on: 'delete', times: 1 })
    await store.destroy('sid')
    expect(await fault.struck()).toBe(1)
    expect(await store.get('sid')).toBeNull()
  })

  test('after a new session was written is repaired by writing it again', async () => {
    const sessions = await openStore(SessionStore, { timeout: 500 })
    const once = await server.inject({ kind: 'drop', when: 'after', on: 'write', times: 1 })
    await sessions.save('new', { n: 1 })
    expect(await once.struck()).toBe(1)
    expect(await sessions.get('new')).toStrictEqual({ n: 1 })
    const always = await server.inject({ kind: 'drop', when: 'after', on: 'write' })
    const error = await caught(sessions.save('new', { n: 2 }))
    expect(error).toBeInstanceOf(AerospikeSessionError)
    expect(error).toMatchObject({ code: 'UNAVAILABLE', inDoubt: true, retryable: true })
    expect(await always.remove()).toBeGreaterThanOrEqual(1)
    expect(await sessions.get('new')).toStrictEqual({ n: 2 })
  })

  test('before a new session was written is no failure if the retry works', async () => {
    const visits = await shop(await openStore())
    const fault = await server.inject({ kind: 'reset', on: 'write', times: 3 })
    expect((await visits.get('/')).body).toBe(2)
    expect(await fault.struck()).toBe(3)
  })
})

describe('a server that answers with a result code', () => {
  test('that is transient is retried', async () => {
    const visitor = await shop(await openStore())
    for (const code of ['KEY_BUSY', 'DEVICE_OVERLOAD', 'TIMEOUT']) {
      const fault = await server.inject({ kind: 'code', code, times: 2, on: ['read', 'write', 'touch'] })
      expect((await visitor.get('/')).status).toBe(200)
      expect(await fault.struck()).toBe(2)
    }
    expect((await visitor.get('/')).body).toBe(5)
  })

  test('does not put a rejected write in doubt', async () => {
    const sessions = await openStore(SessionStore, { timeout: 200 })
    await server.inject({ kind: 'code', code: 'TIMEOUT' })
    expect(await caught(sessions.save('new', {}))).toMatchObject({ code: 'TIMEOUT', inDoubt: true })
    await server.clearFaults()
    await server.inject({ kind: 'overload' })
    expect(await caught(sessions.save('new', {}))).toMatchObject({ code: 'OVERLOAD', inDoubt: false, retryable: true })
    await server.clearFaults()
    // A rejected retry does not show what an earlier attempt has done.
    await server.inject({ kind: 'drop', when: 'after', on: 'write', times: 1 })
    await server.inject({ kind: 'code', code: 'KEY_BUSY' })
    expect(await caught(sessions.save('new', {}))).toMatchObject({ code: 'OVERLOAD', inDoubt: true })
  })

  test.each([
    [8, 'OVERLOAD'], [9, 'TIMEOUT'], [13, 'TOO_BIG'], [14, 'OVERLOAD'], [18, 'OVERLOAD'], [20, 'NAMESPACE'], [21, 'SERVER'], [80, 'AUTH'], [81, 'AUTH']
  ])('%i fails the operation with %s', async (code, expected) => {
    const sessions = await openStore(SessionStore, { timeout: 300 })
    const fault = await server.inject({ kind: 'code', code })
    const operations = [sessions.save('a', {}), sessions.get('b'), sessions.delete('c')]
    for (const error of await Promise.all(operations.map(caught))) {
      expect(error).toMatchObject({ code: expected, resultCode: code })
    }
    expect(await fault.struck()).toBeGreaterThanOrEqual(3)
  })

  test('that means overload still allows reads, and writes afterwards', async () => {
    const store = await openStore(AerospikeStore, { timeout: 300 })
    const visitor = await shop(store)
    const fault = await server.inject({ kind: 'overload' })
    // The page was made from a read. Express reports the failed write afterwards.
    expect((await visitor.get('/')).body).toBe(2)
    expect(visitor.errors).toMatchObject([{ code: 'OVERLOAD', resultCode: 18, retryable: true, inDoubt: false }])
    expect(await fault.remove()).toBeGreaterThanOrEqual(1)
    expect((await visitor.get('/')).body).toBe(2)
  })

  test('for one session fails that session only', async () => {
    const sessions = await openStore(SessionStore, { timeout: 300, prefix: 'p:' })
    const fault = await server.inject({ kind: 'code', code: 22, key: 'p:ada', set: 'sessions', on: 'read' })
    await sessions.save('ada', { n: 1 })
    await sessions.save('bob', { n: 2 })
    expect(await caught(sessions.get('ada'))).toMatchObject({ code: 'FORBIDDEN' })
    expect(await sessions.get('bob')).toStrictEqual({ n: 2 })
    expect(await fault.struck()).toBe(1)
  })

  test('for one of the deletes of a logout everywhere fails it, and the next one works', async () => {
    const store = await openStore(AerospikeStore, { user: 'name', set: 'users', timeout: 500 })
    for (const id of ['a', 'b', 'c']) await store.set(id, { cookie: cookie(60_000), name: 'ada' })
    store.on('warning', () => {})
    const fault = await server.inject({ kind: 'code', code: 81, on: 'delete', key: 'b' })
    expect(await caught(store.destroyOf('ada'))).toMatchObject({ code: 'AUTH', resultCode: 81 })
    expect(await fault.remove()).toBe(1)
    expect(await store.countOf('ada')).toBe(1)
    await store.destroyOf('ada')
    expect(await store.countOf('ada')).toBe(0)
  })

  test('for a whole batch of deletes does not make it appear done', async () => {
    const store = await openStore(AerospikeStore, { set: 'many', timeout: 500 })
    for (const id of ['a', 'b', 'c']) await store.set(id, { cookie: cookie(60_000) })
    const fault = await server.inject({ kind: 'code', code: 'BATCH_QUEUES_FULL', on: 'batch' })
    expect(await caught(store.clear())).toBeInstanceOf(AerospikeSessionError)
    expect(await fault.remove()).toBeGreaterThanOrEqual(1)
    expect(await store.length()).toBe(3)
    await store.clear()
    expect(await store.length()).toBe(0)
  })
})

describe('a namespace that starts to refuse TTLs', () => {
  test('keeps its sessions, accepts new ones, and expires them on time', async () => {
    const sessions = await openStore(SessionStore)
    await sessions.save('before', { n: 1 })
    const warned = once(sessions, 'warning')
    await server.configure('test', { nsupPeriod: 0 })
    await sessions.save('a', { n: 1 }, { ttl: 60 })
    await sessions.save('b', { n: 2 }, { ttl: 0.05 })
    expect((await warned)[0].code).toBe('TTL_REFUSED')
    expect(await sessions.get('before')).toStrictEqual({ n: 1 })
    expect(await sessions.get('a')).toStrictEqual({ n: 1 })
    expect(await sessions.touch('a', { ttl: 30 })).toBe(true)
    while (await sessions.has('b')) await new Promise(resolve => setTimeout(resolve, 10))
    expect(await sessions.get('b')).toBeNull()
    expect(await sessions.get('a')).toStrictEqual({ n: 1 })
  })

  test('is not noticed by a visitor', async () => {
    const store = await openStore()
    store.on('warning', () => {})
    const visitor = await shop(store)
    await server.configure('test', { nsupPeriod: 0 })
    expect((await visitor.get('/')).body).toBe(2)
    expect((await visitor.get('/')).body).toBe(3)
  })
})

describe('a frozen node', () => {
  test('fails requests within timeout with a message, and serves them after it is thawed', async () => {
    const visitor = await shop(await openStore(AerospikeStore, { timeout: 400 }))
    const freeze = await server.freeze()
    const answer = await visitor.get('/')
    expect(answer.status).toBe(500)
    expect(['TIMEOUT', 'UNAVAILABLE']).toContain(answer.body.code)
    expect(await freeze.struck()).toBeGreaterThanOrEqual(1)
    await server.thaw()
    const again = async () => {
      const answer = await visitor.get('/')
      return answer.status === 200 ? answer.body : again()
    }
    expect(await again()).toBeGreaterThanOrEqual(2)
  })

  test('accepts connections, and answers on them after it is thawed', async () => {
    await server.freeze(0)
    const socket = net.connect(server.port, '127.0.0.1')
    await once(socket, 'connect')
    socket.write(Buffer.from([2, 1, 0, 0, 0, 0, 0, 7, ...Buffer.from('status\n')]))
    await server.thaw(1)
    expect(await server.faults()).toHaveLength(1)
    await server.thaw(0)
    const [data] = await once(socket, 'data')
    expect(data.toString('utf8', 8)).toBe('status\tok\n')
    socket.destroy()
  })
})

describe('one node of three', () => {
  let cluster, sessions
  const ids = Array.from({ length: 30 }, (_, n) => `s${n}`)
  const all = () => Promise.all(ids.map(id => sessions.get(id)))

  beforeEach(async () => {
    cluster = await DevServer.start({ nodes: 3, heartbeatTimeout: 300, migrationTime: 50 })
    sessions = new SessionStore({ hosts: cluster.hosts, timeout: 1_000, connectTimeout: 1_000 })
    open.push(cluster, sessions)
    await Promise.all(ids.map(id => sessions.save(id, { id })))
  })

  test('that is frozen is skipped after a while, and used again after it is thawed', async () => {
    const freeze = await cluster.freeze(1)
    const served = async () => {
      try {
        return await all()
      } catch (error) {
        expect(['TIMEOUT', 'UNAVAILABLE']).toContain(error.code)
        return served()
      }
    }
    expect(await served()).toStrictEqual(ids.map(id => ({ id })))
    expect(await freeze.struck()).toBeGreaterThanOrEqual(1)
    await cluster.thaw(1)
    await cluster.settled()
    expect(await all()).toStrictEqual(ids.map(id => ({ id })))
  }, 60_000)

  test('is affected by faults that name it, and others are not', async () => {
    const here = await cluster.inject({ kind: 'latency', ms: 0, on: 'read', node: 2 })
    const everywhere = await cluster.inject({ kind: 'latency', ms: 0, on: 'read' })
    for (const id of ids) await sessions.get(id)
    expect(await everywhere.struck()).toBe(30)
    expect(await here.struck()).toBeGreaterThanOrEqual(1)
    expect(await here.struck()).toBeLessThan(30)
    await cluster.inject({ kind: 'refuse', node: 2 })
    const nodes = await cluster.nodes()
    const refused = await Promise.all(nodes.map(({ address }) => new Promise(resolve => {
      const socket = net.connect(Number(address.split(':')[1]), '127.0.0.1', () => { socket.destroy(); resolve(false) })
      socket.on('error', error => resolve(error.code))
    })))
    expect(refused).toStrictEqual([false, false, 'ECONNREFUSED'])
  }, 30_000)
})

describe('a server that stops answering', () => {
  test('costs an operation its timeout and no more', async () => {
    const sessions = await openStore(SessionStore, { timeout: 300 })
    const fault = await server.inject({ kind: 'silent', on: 'write' })
    expect(await caught(sessions.save('a', { n: 1 }))).toMatchObject({ code: 'TIMEOUT', retryable: true, inDoubt: true })
    expect(await fault.remove()).toBeGreaterThanOrEqual(1)
    await sessions.save('a', { n: 1 })
    expect(await sessions.get('a')).toStrictEqual({ n: 1 })
  })

  test('from the start fails ready() with UNAVAILABLE', async () => {
    const fault = await server.inject({ kind: 'silent', on: 'any' })
    const sessions = new SessionStore({ hosts: server.hosts, connectTimeout: 300 })
    open.push(sessions)
    expect(await caught(sessions.ready())).toMatchObject({ code: 'UNAVAILABLE' })
    expect(await fault.struck(1)).toBeGreaterThanOrEqual(1)
  })

  test('is waited for if it is only slow', async () => {
    const visitor = await shop(await openStore())
    const fault = await server.inject({ kind: 'latency', ms: 10, jitter: 10, seed: 7 })
    expect((await visitor.get('/')).body).toBe(2)
    expect(await fault.struck()).toBeGreaterThanOrEqual(2)
  })
})

describe('a node that refuses connections', () => {
  test('fails a new store with UNAVAILABLE, and accepts it afterwards', async () => {
    const fault = await server.inject({ kind: 'refuse' })
    expect(await fault.struck()).toBe(1)
    const sessions = new SessionStore({ hosts: server.hosts, connectTimeout: 1_000 })
    open.push(sessions)
    const error = await caught(sessions.get('a'))
    expect(error).toMatchObject({ code: 'UNAVAILABLE' })
    expect(error.cause.message).toMatch(/refused/i)
    await fault.remove()
    expect(await sessions.get('nobody')).toBeNull()
  })

  test('keeps serving a connected store', async () => {
    const visitor = await shop(await openStore())
    await server.inject({ kind: 'refuse' })
    expect((await visitor.get('/')).body).toBe(2)
  })

  test('with whenDown: anonymous, serves requests without a session until it is back', async () => {
    await server.inject({ kind: 'refuse' })
    const store = new AerospikeStore({ hosts: server.hosts, whenDown: 'anonymous' })
    open.push(store)
    await once(store, 'disconnect')
    const app = await serve(store, app => app.get('/', (req, res) => res.json(req.session === undefined)))
    open.push(app)
    const visitor = new Visitor(app.url)
    expect((await visitor.get('/')).body).toBe(true)
    const back = once(store, 'connect')
    await server.clearFaults()
    await back
    expect((await visitor.get('/')).body).toBe(false)
  })
})

describe('DevServer', () => {
  test('lists faults with their settings and how often they struck', async () => {
    const sessions = await openStore(SessionStore)
    const fault = await server.inject({ kind: 'latency', ms: 0, on: 'read', times: 2 })
    await sessions.get('a')
    expect(await server.faults()).toStrictEqual([{
      id: fault.id,
      kind: 'latency',
      struck: 1,
      isOver: false,
      node: null,
      lasts: null,
      on: ['read'],
      namespace: null,
      set: null,
      key: null,
      times: 2,
      probability: null,
      seed: null,
      ms: 0,
      jitter: null,
      when: null,
      code: null
    }])
    await sessions.get('a')
    expect(await server.faults()).toMatchObject([{ struck: 2, isOver: true }])
    expect(await fault.remove()).toBe(2)
    expect(await fault.struck()).toBe(2)
    expect(await server.faults()).toStrictEqual([])
  })

  test('reports when a fault strikes', async () => {
    const sessions = await openStore(SessionStore)
    const fault = await server.inject({ kind: 'latency', ms: 0, on: 'read' })
    const struck = fault.struck(1)
    await sessions.get('a')
    expect(await struck).toBe(1)
  })

  test('reports the seed of random faults, and repeats them with the same seed', async () => {
    const sessions = await openStore(SessionStore)
    const run = async seed => {
      const fault = await server.inject({ kind: 'code', code: 22, on: 'read', probability: 0.5, seed })
      const failed = []
      for (let n = 0; n < 40; n++) failed.push(await sessions.get('a').then(() => false, () => true))
      const [info] = await server.faults()
      await fault.remove()
      return { failed, seed: info.seed }
    }
    const first = await run()
    expect(await run(first.seed)).toStrictEqual(first)
    expect(new Set(first.failed).size).toBe(2)
  })

  test.each([
    [undefined, /missing field `fault`/],
    [{}, /missing field `kind`/],
    [{ kind: 'fire' }, /unknown variant `fire`/],
    [{ kind: 'drop', tims: 3 }, /unknown field `tims`/],
    [{ kind: 'latency' }, /needs 'ms'/],
    [{ kind: 'drop', node: 1 }, /no node 1/],
    [{ kind: 'code', code: 'BUSY' }, /such as KEY_BUSY/]
  ])('rejects the fault %j with BAD_OPTION', async (fault, words) => {
    const error = await caught(server.inject(fault))
    expect(error).toMatchObject({ name: 'AerospikeSessionError', code: 'BAD_OPTION' })
    expect(error.message).toMatch(words)
    expect(error.message).not.toMatch(/line \d/)
  })

  test('rejects invalid settings', async () => {
    for (const [namespace, settings, words] of [
      ['nope', {}, /no namespace 'nope'/],
      ['test', { nsup: 1 }, /unknown field `nsup`/],
      ['nottl', { defaultTtl: 60 }, /needs an nsup-period/]
    ]) {
      const error = await caught(server.configure(namespace, settings))
      expect(error).toMatchObject({ code: 'BAD_OPTION', message: expect.stringMatching(words) })
    }
  })

  test('reports how often a fault struck after clearing all faults', async () => {
    const sessions = await openStore(SessionStore)
    const fault = await server.inject({ kind: 'latency', ms: 0, on: 'read' })
    const waiting = fault.struck(5)
    await sessions.get('a')
    await sessions.get('a')
    await server.clearFaults()
    expect(await waiting).toBe(2)
    expect(await fault.struck()).toBe(2)
    expect(await fault.remove()).toBe(2)
    expect(await fault.remove()).toBe(2)
  })

  test('rejects everything after stop(), and does not restart', async () => {
    const own = await DevServer.start({ nodes: 2 })
    const fault = await own.inject({ kind: 'latency', ms: 1 })
    const stopping = own.stop()
    for (const call of [
      () => own.startNode(0), () => own.stopNode(0), () => own.nodes(), () => own.settled(), () => own.inject({ kind: 'drop' }), () => own.faults(),
      () => own.clearFaults(), () => own.freeze(), () => own.thaw(), () => own.configure('test', {}), () => fault.struck(), () => fault.remove()
    ]) await expect(call()).rejects.toMatchObject({ code: 'CLOSED', message: 'the dev server was stopped' })
    await stopping
    await own.stop()
    await expect(own.startNode(0)).rejects.toMatchObject({ code: 'CLOSED' })
  })

  test('reports a port that is in use', async () => {
    await expect(DevServer.start({ port: server.port })).rejects.toMatchObject({
      code: 'EADDRINUSE', message: expect.stringMatching(/^127\.0\.0\.1:\d+ is in use: .*'port'/)
    })
  })

  test('stops with active faults and held requests', async () => {
    const own = await DevServer.start()
    const sessions = new SessionStore({ hosts: own.hosts, timeout: 2_000 })
    open.push(sessions)
    await sessions.ready()
    await own.inject({ kind: 'latency', ms: 3_600_000 })
    const pending = caught(sessions.get('a'))
    const held = await own.freeze()
    const waiting = held.struck(1_000)
    await own.stop()
    expect((await pending).code).toMatch(/UNAVAILABLE|TIMEOUT/)
    expect(await waiting).toBeLessThan(1_000)
  })
})
