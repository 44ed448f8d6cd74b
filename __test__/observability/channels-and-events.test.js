'use strict'

// Diagnostics channels and NODE_DEBUG: what operations publish, that they publish nothing without subscribers, and what the
// examples of docs/observability.md do with it.

const dc = require('node:diagnostics_channel')
const fs = require('node:fs')
const path = require('node:path')
const { AsyncLocalStorage, createHook } = require('node:async_hooks')
const { fork, spawn } = require('node:child_process')
const { once } = require('node:events')
const { AerospikeSessionError, AerospikeStore, SessionStore, renew } = require('../..')
const { DevServer } = require('../../exports/dev-server')
const { folderFor } = require('../support/pages')
const { freshSet, hosts, openSessions, openStore } = require('../support/server')

const EVENTS = ['start', 'end', 'asyncStart', 'asyncEnd', 'error']
const OPERATIONS = [
  'get', 'set', 'touch', 'destroy', 'save', 'delete', 'has', 'all', 'sessions', 'ids', 'length', 'clear', 'prune', 'createUserIndex',
  'sessionsOf', 'countOf', 'destroyOf', 'destroyByDigest', 'ready', 'renew'
]
const SUCCESS = ['start', 'end', 'asyncStart', 'asyncEnd']
const FAILURE = ['start', 'end', 'error', 'asyncStart', 'asyncEnd']

/** @type {(() => void)[]} */
const stops = []
afterEach(() => { for (const stop of stops.splice(0)) stop() })

/** Subscribes until the end of the test, or until the returned function is called. */
function listen (operation, listeners) {
  const channel = dc.tracingChannel(`aerospike-session:${operation}`)
  channel.subscribe(listeners)
  const stop = () => channel.unsubscribe(listeners)
  stops.push(stop)
  return stop
}

/** Collects every event of these operations as `[event, message]`. */
function record (...operations) {
  const recorded = []
  const listeners = Object.fromEntries(EVENTS.map(event => [event, message => { recorded.push([event, message]) }]))
  for (const operation of operations) listen(operation, listeners)
  return recorded
}

/** Waits until the store knows which node has which partition. */
async function nodesKnown (sessions) {
  const seen = []
  const stop = listen('has', { asyncEnd ({ node }) { if (node !== undefined) seen.push(node) } })
  for (let tries = 0; seen.length === 0; tries++) {
    if (tries === 10_000) throw new Error('no operation reported its node')
    await sessions.has('any')
  }
  stop()
}

/** Returns a request with a stored session, as express-session makes it. `id` is the id that a renewal gives it. */
async function requestOf (store, sid, id) {
  const req = { sessionID: sid, sessionStore: store }
  store.generate = like => { like.sessionID = id }
  store.createSession(req, await store.get(sid))
  return req
}

const names = recorded => recorded.map(([event]) => event)
const call = work => new Promise(resolve => work((...args) => resolve(args)))
const cookie = { originalMaxAge: 60_000, path: '/' }

test.each(['promise', 'callback'])('an operation publishes its start, end and answer with one message object (%s)', async style => {
  const set = freshSet()
  const sessions = openSessions({ set })
  await sessions.save('one', { n: 1 })
  await nodesKnown(sessions)
  const recorded = record('get')
  const seen = []
  listen('get', { start: message => { seen.push({ ...message }) } })
  const data = style === 'promise' ? await sessions.get('one') : (await call(done => sessions.get('one', done)))[1]
  expect(data).toEqual({ n: 1 })
  expect(names(recorded)).toEqual(SUCCESS)
  expect(seen).toEqual([{ operation: 'get', namespace: 'test', set }])
  const [[, message]] = recorded
  expect(message).toEqual({
    operation: 'get', namespace: 'test', set, outcome: 'hit', duration: expect.any(Number), node: expect.any(String), batch: 1
  })
  expect(message.duration).toBeGreaterThan(0)
  for (const [, other] of recorded) expect(other).toBe(message)
})

test('a callback gets its usual arguments, between the start and the end of the answer', async () => {
  const sessions = openSessions()
  const store = openStore()
  const recorded = record('save', 'get', 'set')
  const results = [
    await call(done => sessions.save('one', { n: 1 }, (...args) => { recorded.push(['called']); done(...args) })),
    await call(done => sessions.get('one', done)),
    await call(done => sessions.get('none', done)),
    await call(done => store.set('one', { cookie }, done)),
    await call(done => sessions.get('', done))
  ]
  expect(results).toEqual([[null], [null, { n: 1 }], [null, null], [null], [expect.any(AerospikeSessionError)]])
  expect(names(recorded).slice(0, 5)).toEqual(['start', 'end', 'asyncStart', 'called', 'asyncEnd'])
})

test('the outcome is published', async () => {
  const sessions = openSessions()
  const store = openStore({ storeIds: true })
  const recorded = record('save', 'get', 'touch', 'has', 'delete', 'set', 'destroy', 'length', 'renew')
  const outcome = async work => {
    recorded.length = 0
    await work().catch(() => {})
    return recorded.at(-1)[1].outcome
  }
  expect(await outcome(() => sessions.save('one', { n: 1 }))).toBe('ok')
  for (const method of ['get', 'touch', 'has', 'delete']) {
    expect([method, await outcome(() => sessions[method]('one'))]).toEqual([method, 'hit'])
  }
  for (const method of ['get', 'touch', 'has', 'delete']) {
    expect([method, await outcome(() => sessions[method]('one'))]).toEqual([method, 'miss'])
  }
  expect(await outcome(() => store.set('one', { cookie, a: 1 }))).toBe('ok')
  const [one, two] = [await store.get('one'), await store.get('one')]
  expect(await outcome(() => store.touch('one', one))).toBe('ok')
  expect(await outcome(() => store.set('one', { ...one, cookie: { ...cookie, expires: new Date(0) } }))).toBe('ok')
  expect(recorded.at(-1)[1].operation).toBe('destroy')
  expect(await outcome(() => store.set('one', Object.assign(two, { b: 2 })))).toBe('gone')
  expect(await outcome(() => store.get('one'))).toBe('miss')
  await store.set('old', { cookie, a: 1 })
  const req = await requestOf(store, 'old', 'new')
  expect(await outcome(() => renew(req))).toBe('ok')
  expect(recorded.at(-1)[1].operation).toBe('renew')
  expect(await outcome(() => store.get('old'))).toBe('hit')
  expect(await outcome(() => store.length())).toBe('ok')
  expect(await outcome(() => store.get(''))).toBe('error')
})

test('a merged set has the outcome conflict', async () => {
  const store = openStore({ format: 'json' })
  await store.set('one', { cookie, a: 1 })
  const [one, two] = [await store.get('one'), await store.get('one')]
  const recorded = record('set')
  await store.set('one', Object.assign(one, { b: 1 }))
  await store.set('one', Object.assign(two, { c: 1 }))
  expect(recorded.filter(([event]) => event === 'asyncEnd').map(([, { outcome }]) => outcome)).toEqual(['ok', 'conflict'])
  expect(await store.get('one')).toMatchObject({ a: 1, b: 1, c: 1 })
})

test.each(['promise', 'callback'])('a failure is published with its error (%s)', async style => {
  const server = await DevServer.start()
  const sessions = new SessionStore({ hosts: server.hosts, timeout: 500 })
  try {
    await sessions.ready()
    await server.stop()
    const recorded = record('get')
    const error = style === 'promise' ? await sessions.get('one').catch(error => error) : (await call(done => sessions.get('one', done)))[0]
    expect(error).toMatchObject({ code: 'UNAVAILABLE' })
    expect(names(recorded)).toEqual(FAILURE)
    expect(recorded[0][1]).toMatchObject({ outcome: 'error', duration: expect.any(Number) })
    expect(recorded[0][1].error).toBe(error)
  } finally {
    await sessions.close()
  }
})

test('a failure before the server is asked is published, too', async () => {
  const store = openStore({ user: session => session.owner })
  const closed = new SessionStore({ hosts: hosts() })
  await closed.close()
  const recorded = record(...OPERATIONS)
  const cycle = { cookie }
  cycle.self = cycle
  const failures = [
    ['set', 'BAD_DATA', () => store.set('one', cycle)],
    ['set', 'BAD_DATA', () => store.set('one', { cookie, owner: {} })],
    ['touch', 'BAD_DATA', () => store.touch('one', { cookie: cycle })],
    ['get', 'BAD_KEY', () => store.get(1)],
    ['ids', 'BAD_OPTION', () => store.ids()],
    ['destroyOf', 'BAD_OPTION', () => store.destroyOf('ada', { but: 'one' })],
    ['destroyOf', 'BAD_KEY', () => store.destroyOf('ada', { except: '' })],
    ['destroyByDigest', 'BAD_KEY', () => store.destroyByDigest('one', { of: 'ada' })],
    ['destroyByDigest', 'BAD_OPTION', () => store.destroyByDigest(store.digestOf('one'), {})],
    ['countOf', 'BAD_KEY', () => store.countOf({})],
    ['save', 'BAD_OPTION', () => store.client.save('one', {}, { ttl: -1 })],
    ['touch', 'BAD_OPTION', () => store.client.touch('one', { ttl: -1 })],
    ['has', 'CLOSED', () => closed.has('one')],
    ['ready', 'CLOSED', () => closed.ready()]
  ]
  await store.set('one', { cookie })
  const req = await requestOf(store, 'one', '')
  failures.push(['renew', 'BAD_KEY', () => renew(req)])
  for (const [operation, code, fail] of failures) {
    recorded.length = 0
    await expect(fail()).rejects.toMatchObject({ code })
    expect([names(recorded), recorded[0][1]]).toMatchObject([FAILURE, { operation, outcome: 'error', error: { code } }])
  }
})

test('the node and the size of the batch are published for operations on one session', async () => {
  const server = await DevServer.start({ nodes: 3 })
  const sessions = new SessionStore({ hosts: server.hosts })
  const store = new AerospikeStore({ client: sessions })
  try {
    await nodesKnown(sessions)
    const recorded = record('get', 'length')
    const ended = () => recorded.filter(([event]) => event === 'asyncEnd').map(([, message]) => message)
    await Promise.all(Array.from({ length: 300 }, (_, n) => sessions.get(`visitor-${n}`)))
    const gets = ended()
    expect(new Set(gets.map(({ node }) => node))).toEqual(new Set(sessions.stats().nodes.map(({ name }) => name)))
    // All operations of a batch report the same size.
    for (const { batch } of gets) expect(gets.filter(other => other.batch === batch).length % batch).toBe(0)
    expect(Math.max(...gets.map(({ batch }) => batch))).toBeGreaterThan(1)
    const { batches, batched } = sessions.stats()
    expect(gets.filter(({ batch }) => batch > 1)).toHaveLength(batched)
    expect(batches).toBeGreaterThan(0)
    recorded.length = 0
    await store.length()
    await sessions.get('').catch(() => {})
    for (const message of ended()) {
      expect(message).not.toHaveProperty('node')
      expect(message).not.toHaveProperty('batch')
    }
  } finally {
    await sessions.close()
    await server.stop()
  }
})

test('operations that share an answer publish the same node and batch', async () => {
  const sessions = openSessions()
  await nodesKnown(sessions)
  const recorded = record('get')
  await Promise.all(Array.from({ length: 20 }, () => sessions.get('one')))
  const ended = recorded.filter(([event]) => event === 'asyncEnd').map(([, { node, batch }]) => ({ node, batch }))
  expect(ended).toEqual(Array(20).fill({ node: ended[0].node, batch: 1 }))
  expect(sessions.stats().nodes.map(({ name }) => name)).toContain(ended[0].node)
})

test('every operation has its own channels', async () => {
  const store = openStore({ storeIds: true, user: 'owner' })
  const sessions = store.client
  const recorded = record(...OPERATIONS)
  store.on('warning', () => {})
  await store.ready()
  await store.set('one', { cookie, owner: 'ada' })
  await store.get('one')
  await store.touch('one', { cookie })
  await renew(await requestOf(store, 'one', 'new'))
  await store.createUserIndex()
  await store.sessionsOf('ada')
  await store.countOf('ada')
  await store.destroyOf('ada')
  await store.destroyByDigest(store.digestOf('one'), { of: 'ada' })
  await store.all()
  await store.sessions().next()
  await store.ids()
  await store.length()
  await store.prune()
  await store.clear()
  await store.destroy('one')
  await sessions.save('two', {})
  await sessions.has('two')
  await sessions.delete('two')
  expect(new Set(recorded.map(([, { operation }]) => operation))).toEqual(new Set(OPERATIONS))
  for (const operation of OPERATIONS) {
    const events = names(recorded.filter(([, message]) => message.operation === operation))
    expect([operation, events.slice(0, 4)]).toEqual([operation, SUCCESS])
  }
})

test.each(['promise', 'callback'])('subscribers run in the context of the caller (%s)', async style => {
  const sessions = openSessions()
  const context = new AsyncLocalStorage()
  const seen = []
  const see = event => { seen.push([event, context.getStore()]) }
  listen('get', Object.fromEntries(EVENTS.map(event => [event, () => see(event)])))
  await context.run('request', async () => {
    for (const id of ['one', '']) {
      const answered = style === 'promise' ? sessions.get(id) : call(done => sessions.get(id, (...args) => { see('called'); done(...args) }))
      await answered.catch(() => {})
      see('after')
    }
  })
  expect(seen.map(([, store]) => store)).toEqual(seen.map(() => 'request'))
  expect(seen.filter(([event]) => event !== 'called' && event !== 'after').map(([event]) => event)).toEqual([...SUCCESS, ...FAILURE])
})

test('stores bound to start apply until the end, and those bound to asyncStart apply in the callback', async () => {
  const sessions = openSessions()
  const context = new AsyncLocalStorage()
  const { start, asyncStart } = dc.tracingChannel('aerospike-session:get')
  const seen = []
  const see = event => { seen.push([event, context.getStore()]) }
  listen('get', { end: () => see('end'), asyncEnd: () => see('asyncEnd') })
  start.bindStore(context, ({ operation }) => `start of ${operation}`)
  await context.run('request', () => call(done => sessions.get('one', () => { see('called'); done() })))
  asyncStart.bindStore(context, ({ outcome }) => outcome)
  await context.run('request', () => call(done => sessions.get('one', () => { see('called'); done() })))
  start.unbindStore(context)
  asyncStart.unbindStore(context)
  expect(seen).toEqual([
    ['end', 'start of get'], ['called', 'request'], ['asyncEnd', 'request'],
    ['end', 'start of get'], ['called', 'miss'], ['asyncEnd', 'miss']
  ])
})

test('one subscriber for one event is enough, and receives nothing about earlier operations', async () => {
  const sessions = openSessions()
  for (const event of ['start', 'end', 'asyncStart', 'asyncEnd', 'error']) {
    const recorded = []
    const early = sessions.get(event === 'error' ? '' : 'one').catch(() => {})
    const stop = listen('get', { [event]: message => { recorded.push(message) } })
    await early
    expect([event, recorded.length]).toEqual([event, 0])
    await sessions.get(event === 'error' ? '' : 'one').catch(() => {})
    expect([event, recorded.length]).toEqual([event, 1])
    const late = sessions.get(event === 'error' ? '' : 'one').catch(() => {})
    stop()
    await late
    await sessions.get('one')
    expect([event, recorded.length]).toEqual([event, event === 'start' || event === 'end' ? 2 : 1])
  }
})

test('without subscribers an operation creates no message', async () => {
  const sessions = openSessions()
  const store = openStore()
  await Promise.all([sessions.ready(), store.ready()])
  let made = 0
  const hook = createHook({ init (id, type) { made += type === 'AerospikeSession' ? 1 : 0 } }).enable()
  const ask = async () => {
    made = 0
    await sessions.get('one')
    await store.get('one')
    await store.get('').catch(() => {})
    return made
  }
  try {
    // One more than with a promise, which needs no resource of its own.
    expect(await ask()).toBe(0)
    const stop = listen('get', { start () {} })
    expect(await ask()).toBe(3)
    stop()
    expect(await ask()).toBe(0)
    // The same holds while other operations have subscribers.
    listen('set', { start () {} })
    expect(await ask()).toBe(0)
  } finally {
    hook.disable()
  }
})

/** Returns what this process wrote to stderr during operations on `server` and its loss. */
async function debugged (env) {
  const script = `
    const { AerospikeStore, SessionStore } = require(${JSON.stringify(path.join(__dirname, '../..'))})
    const { DevServer } = require(${JSON.stringify(path.join(__dirname, '../../exports/dev-server'))})
    async function main () {
      const server = await DevServer.start()
      const sessions = new SessionStore({ hosts: server.hosts, timeout: 500, namespace: 'nottl', set: 'debugged' })
      const store = new AerospikeStore({ client: sessions, prefix: 'S3cr3t-prefix' })
      store.on('warning', () => {})
      const alive = setInterval(() => {}, 1_000)
      const down = new Promise(resolve => sessions.once('down', resolve))
      await sessions.ready()
      await sessions.save('S3cr3t-sid', { S3cr3t: 'S3cr3t' })
      await sessions.get('S3cr3t-sid')
      await store.set('S3cr3t-sid', { cookie: {}, S3cr3t: 'S3cr3t' })
      await sessions.get('S3cr3t-other')
      await sessions.get('S3cr3t-\\ud800').catch(() => {})
      await server.stop()
      await sessions.get('S3cr3t-sid').catch(() => {})
      await down
      await sessions.close()
      clearInterval(alive)
    }
    main()
  `
  const child = spawn(process.execPath, ['-e', script], { env: { ...process.env, NODE_DEBUG: '', ...env }, stdio: ['ignore', 'ignore', 'pipe'] })
  let written = ''
  child.stderr.setEncoding('utf8').on('data', text => { written += text })
  const [code] = await once(child, 'close')
  expect([code, code === 0 ? '' : written]).toEqual([0, ''])
  return written
}

test('NODE_DEBUG=aerospike-session writes a line for each operation and each change of the connection, without ids and data', async () => {
  const written = await debugged({ NODE_DEBUG: 'aerospike-session' })
  expect(written).not.toMatch(/S3cr3t/i)
  const ms = String.raw`\d+\.\d{3} ms(?:, node \w+)?(?:, batch of 1)?`
  const lines = written.trim().split('\n').map(line => line.replace(/^AEROSPIKE-SESSION \d+: /, ''))
  for (const expected of [
    /^connecting, by way of 1 host$/, /^up: \w+ 127\.0\.0\.1:\d+$/, RegExp(`^ready nottl\\.debugged ok ${ms}$`), RegExp(`^save nottl\\.debugged ok ${ms}`),
    RegExp(`^get nottl\\.debugged hit ${ms}`), RegExp(`^set nottl\\.debugged ok ${ms}`), RegExp(`^get nottl\\.debugged miss ${ms}`),
    RegExp(`^get nottl\\.debugged BAD_KEY ${ms}: .+`), RegExp(`^get nottl\\.debugged (UNAVAILABLE|TIMEOUT) ${ms}: .+`), /^warning TTL_REFUSED$/, /^down$/, /^closing$/
  ]) {
    expect(lines).toEqual(expect.arrayContaining([expect.stringMatching(expected)]))
  }
  expect(lines).toHaveLength(12)
})

test('without it nothing is written', async () => {
  expect(await debugged({})).toBe('')
})

test('a store with its own options publishes its namespace and set', async () => {
  const set = freshSet()
  const client = openSessions({ set })
  const store = new AerospikeStore({ client, prefix: 'a:' })
  const recorded = record('length')
  await store.length()
  expect(recorded[0][1]).toMatchObject({ namespace: 'test', set })
})

test('the examples of docs/observability.md observe a store', async () => {
  const folder = folderFor('docs/observability.md')
  const child = fork(path.join(__dirname, '../support/observed.js'), [folder], { silent: true })
  let printed = ''
  let errorOutput = ''
  child.stdout.on('data', data => { printed += data })
  child.stderr.on('data', data => { errorOutput += data })
  const seen = {}
  child.on('message', message => Object.assign(seen, message))
  const [code] = await once(child, 'close')
  fs.rmSync(folder, { recursive: true })
  expect({ code, errorOutput }).toEqual({ code: 0, errorOutput: '' })

  const lines = text => text.split('\n')
  expect(lines(seen.metrics)).toEqual(expect.arrayContaining([
    'aerospike_session_up 1',
    expect.stringMatching(/^aerospike_session_node_up\{node="\w+",address="127\.0\.0\.1:\d+"\} 1$/),
    'aerospike_session_in_flight 0',
    'aerospike_session_operations_total{operation="get",outcome="ok"} 2',
    'aerospike_session_operations_total{operation="set",outcome="ok"} 1',
    'aerospike_session_retries_total 0',
    '# TYPE aerospike_session_latency_seconds histogram',
    'aerospike_session_latency_seconds_bucket{le="+Inf"} 3',
    'aerospike_session_latency_seconds_count 3',
    'aerospike_session_operation_seconds_count{operation="get",outcome="hit"} 1',
    'aerospike_session_operation_seconds_count{operation="get",outcome="miss"} 1'
  ]))
  const sum = Number(/^aerospike_session_latency_seconds_sum (\S+)$/m.exec(seen.metrics)[1])
  expect(sum).toBeGreaterThan(0)
  expect(lines(seen.after)).toEqual(expect.arrayContaining([
    'aerospike_session_up 0',
    'aerospike_session_operations_total{operation="get",outcome="ok"} 2',
    'aerospike_session_operations_total{operation="get",outcome="UNAVAILABLE"} 1',
    'aerospike_session_operation_seconds_count{operation="get",outcome="UNAVAILABLE"} 1'
  ]))

  const place = { 'db.system.name': 'aerospike', 'db.namespace': 'test', 'db.collection.name': 'observed' }
  expect(seen.spans).toEqual([
    expect.objectContaining({ name: 'set observed', kind: 2, attributes: expect.objectContaining({ ...place, 'db.operation.name': 'set', 'aerospike.outcome': 'ok' }) }),
    // A child of the page's span. The page's own work is not part of the session's span.
    expect.objectContaining({ name: 'get observed', parent: 'page', attributes: expect.objectContaining({ 'aerospike.outcome': 'hit', 'aerospike.batch': 1 }) }),
    expect.objectContaining({ name: 'work', parent: 'page' }),
    expect.objectContaining({ name: 'page' }),
    expect.objectContaining({ name: 'get observed', attributes: expect.objectContaining({ 'aerospike.outcome': 'miss' }) }),
    expect.objectContaining({
      name: 'get observed', status: { code: 2, message: expect.any(String) }, attributes: expect.objectContaining({ 'aerospike.outcome': 'error', 'error.type': 'UNAVAILABLE' })
    })
  ])
  // With the provider of telemetry.js.
  expect(printed).toContain("name: 'set observed'")
}, 60_000)
