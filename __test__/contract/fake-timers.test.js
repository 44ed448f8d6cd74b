'use strict'

// Fake timers of a test runner: callbacks are called and promises settle, because the package keeps the timers and the clock
// from when it was loaded.

const { execFileSync } = require('node:child_process')
const timers = require('node:timers')
const { freshSet, hosts } = require('../support/server')

const pass = ms => new Promise(resolve => timers.setTimeout(resolve, ms).unref())
const LOADED = { 'before the package was loaded': true, 'after the package was loaded': false }
const FAR = Date.UTC(2001, 0)

/** Loads the package, and opens its stores of a set, with fake timers. */
function load (isFakeFirst) {
  const fake = () => jest.useFakeTimers({ now: FAR })
  if (isFakeFirst) fake()
  let all
  jest.isolateModules(() => {
    all = { ...require('../..'), ...require('../../exports/koa'), ...require('../../exports/fastify'), ...require('../../exports/hono'), ...require('../../exports/react-router') }
  })
  if (!isFakeFirst) fake()
  return all
}

describe.each(Object.entries(LOADED))('fake timers that were installed %s', (_, isFakeFirst) => {
  const stores = []
  let AerospikeStore, FastifyStore, KoaStore, SessionStore
  const open = (Store, options) => {
    const store = new Store({ hosts: hosts(), set: freshSet(), ...options })
    stores.push(store)
    return store
  }

  beforeAll(() => { ({ AerospikeStore, FastifyStore, KoaStore, SessionStore } = load(isFakeFirst)) })
  afterAll(async () => {
    for (const store of stores) await new AerospikeStore({ client: store.store?.client ?? store.client ?? store }).clear().catch(() => {})
    for (const store of stores) await store.close()
    jest.useRealTimers()
  })

  const calls = {
    get: (store, done) => store.get('a', done),
    'get of a wrong id': (store, done) => store.get('', done),
    set: (store, done) => store.set('a', { cookie: {} }, done),
    'set of no session': (store, done) => store.set('a', 5, done),
    touch: (store, done) => store.touch('a', { cookie: {} }, done),
    'touch of a wrong id': (store, done) => store.touch(5, { cookie: {} }, done),
    destroy: (store, done) => store.destroy('a', done),
    all: (store, done) => store.all(done),
    'ids without the option': (store, done) => store.ids(done),
    length: (store, done) => store.length(done),
    'sessionsOf with a wrong option': (store, done) => store.sessionsOf('ada', { limit: 0 }, done),
    'destroyOf with a wrong option': (store, done) => store.destroyOf('ada', { except: '' }, done),
    destroyByDigest: (store, done) => store.destroyByDigest('0'.repeat(40), { of: 'ada' }, done),
    'destroyByDigest of a wrong digest': (store, done) => store.destroyByDigest('a', { of: 'ada' }, done),
    ready: (store, done) => store.ready(done),
    clear: (store, done) => store.clear(done),
    close: (store, done) => store.close(done),
    'get after close': (store, done) => store.get('a', done)
  }

  test('every callback of a store is called', async () => {
    const store = open(AerospikeStore)
    for (const [name, call] of Object.entries(calls)) {
      const called = new Promise(resolve => call(store, () => resolve(name)))
      expect(await Promise.race([called, pass(3_000)])).toBe(name)
    }
    const client = open(SessionStore)
    const borrowed = new AerospikeStore({ client })
    expect(await Promise.race([new Promise(resolve => borrowed.close(() => resolve('closed'))), pass(3_000)])).toBe('closed')
  })

  test('events are emitted', async () => {
    const store = open(AerospikeStore)
    const gone = new Promise(resolve => store.on('gone', resolve))
    await store.set('a', { cookie: { path: '/' }, n: 1 })
    const loaded = await store.get('a')
    await store.destroy('a')
    loaded.n = 2
    await store.set('a', loaded)
    expect(await Promise.race([gone, pass(3_000)])).toMatchObject({ digest: expect.any(String) })
  })

  test("sessions expire by the machine's clock, whatever the fake clock says", async () => {
    const data = { user: 'ada' }
    const store = open(AerospikeStore, { ttl: 60 })
    const koa = open(KoaStore)
    const sessions = open(SessionStore, { ttl: 1.5 })
    await Promise.all([
      store.set('a', data), open(FastifyStore).set('a', data), koa.set('a', data, 60_000), koa.set('b', data, 1_500), sessions.save('a', data)
    ])
    jest.setSystemTime(Date.UTC(2101, 0))
    expect(await store.get('a')).toMatchObject(data)
    expect(await koa.get('a')).toStrictEqual(data)
    expect(await sessions.get('a')).toStrictEqual(data)
    await new Promise(resolve => timers.setTimeout(resolve, 1_550))
    expect(await koa.get('b')).toBeNull()
    expect(await sessions.get('a')).toBeNull()
    expect(await store.get('a')).toMatchObject(data)
  })
})

test('no file of the package uses a global timer or clock', () => {
  // Not names of properties (`socket.setTimeout`) or of destructured variables.
  const lookups = /(?<![\w.'`])(process\.nextTick|(?:globalThis\.)?(?:setTimeout|setImmediate|setInterval|clearTimeout|queueMicrotask)\(|Date\.now|performance\.now|new Date\(\))/
  const fs = require('node:fs')
  const path = require('node:path')
  const lib = path.join(__dirname, '../../lib')
  const files = fs.readdirSync(lib, { recursive: true }).filter(file => /\.js$/.test(file) && !file.startsWith('binding') && file !== 'clock.js')
  expect(files.length).toBeGreaterThan(40)
  const found = files.flatMap(file => {
    const code = fs.readFileSync(path.join(lib, file), 'utf8')
    const isTaken = code.includes("clock')")
    return code.split('\n').filter(line => lookups.test(isTaken ? line.replaceAll(/\b(setTimeout|setImmediate|setInterval|clearTimeout|clearInterval)\(/g, '') : line)).map(line => `${file}: ${line.trim()}`)
  })
  expect(found).toStrictEqual([])
})

test("sinon's fake timers hold no callback", () => {
  const program = `
    const timers = require('node:timers')
    const { later } = { later: timers.setTimeout }
    const { AerospikeStore } = require('../..')
    const store = new AerospikeStore({ hosts: process.argv[1] })
    require(process.argv[2]).install({ toFake: ['nextTick', 'setImmediate', 'setTimeout', 'Date', 'queueMicrotask'] })
    store.get('', error => console.log(error.code))
    store.get('a', () => { console.log('answered'); store.close(() => console.log('closed')) })
    later(() => process.exit(), 1_000)
  `
  const fakeTimers = require.resolve('@sinonjs/fake-timers', { paths: [require.resolve('jest')] })
  expect(execFileSync(process.execPath, ['-e', program, hosts(), fakeTimers], { cwd: __dirname, encoding: 'utf8' })).toBe('BAD_KEY\nanswered\nclosed\n')
})
