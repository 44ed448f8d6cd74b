'use strict'

// AsyncLocalStorage: callbacks, promises and the events of a set have the context of their call. All other events have no
// context, and no context is kept alive.

const { AsyncLocalStorage } = require('node:async_hooks')
const { spawn } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { AerospikeStore, SessionStore } = require('../..')
const { FastifyStore } = require('../../exports/fastify')
const { cookie } = require('../support/cookie')
const { cleanups, open, start } = require('../support/opened')
const { except } = require('../support/runtime')
const { freshSet, hosts } = require('../support/server')

const FILES = 8
/** The MB that each test file has in its module scope. */
const BALLAST = 16
const context = new AsyncLocalStorage()

/** Resolves with the context in which an event is emitted. */
const contextOf = (emitter, event) => new Promise(resolve => emitter.once(event, () => resolve(context.getStore())))

describe.each([['AerospikeStore', AerospikeStore], ['FastifyStore', FastifyStore]])('events of a set of %s', (_, Store) => {
  const FORMATS = { map: undefined, json: 'json' }
  const CALLS = {
    promise: (store, sid, session) => store.set(sid, session),
    callback: (store, sid, session) => new Promise((resolve, reject) => store.set(sid, session, error => error ? reject(error) : resolve()))
  }

  test.each(Object.keys(CALLS).flatMap(call => Object.keys(FORMATS).map(format => [call, format])))(
    'are emitted in the context of that set (%s, %s)', async (call, format) => {
      const server = await start()
      const store = open(server, { format }, Store)
      const others = open(server, { format }, Store)
      const set = (name, sid, session) => context.run(name, () => CALLS[call](store, sid, session))
      await context.run('first', () => store.set('a', { cookie: cookie(60_000), n: 1 }))
      const gone = contextOf(store, 'gone')
      const loaded = await context.run('get', () => store.get('a'))
      await context.run('destroy', () => store.destroy('a'))
      loaded.n = 2
      await Promise.all([set('the set', 'a', loaded), context.run('another', () => store.set('b', { cookie: cookie(60_000) }))])
      expect(await gone).toBe('the set')

      if (format !== 'json') return
      const conflict = contextOf(store, 'conflict')
      await store.set('c', { cookie: cookie(60_000), n: 1 })
      const before = await store.get('c')
      const theirs = await others.get('c')
      theirs.m = 1
      await others.set('c', theirs)
      before.n = 2
      await set('the conflict', 'c', before)
      expect(await conflict).toBe('the conflict')
    })
})

test('events of the connection have no context, whichever call opens the first store', async () => {
  const server = await start()
  const { store, sessions } = context.run('first request', () => {
    const sessions = new SessionStore({ hosts: server.hosts, timeout: 500 })
    return { sessions, store: new AerospikeStore({ client: sessions, whenDown: 'anonymous' }) }
  })
  cleanups.push(() => sessions.close())
  const seen = []
  for (const emitter of [store, sessions]) {
    for (const event of ['up', 'down', 'connect', 'disconnect', 'warning']) {
      context.run('listener', () => emitter.on(event, () => seen.push([event, context.getStore()])))
    }
  }
  await context.run('second request', () => store.ready())
  await server.configure('test', { nsupPeriod: 0 })
  await context.run('third request', () => store.set('a', { cookie: cookie(60_000) }))
  await server.stopNode(0)
  while (!seen.some(([event]) => event === 'disconnect')) await context.run('fourth request', () => store.get('a')).catch(() => {})
  await server.startNode(0)
  while (!seen.some(([event]) => event === 'connect')) await new Promise(resolve => setTimeout(resolve, 20))
  expect(new Set(seen.map(([event]) => event))).toEqual(new Set(['up', 'down', 'connect', 'disconnect', 'warning']))
  expect(seen.filter(([, context]) => context !== undefined)).toStrictEqual([])
}, 30_000)

test('callbacks and promises have the context of their call', async () => {
  const store = open(await start(), {}, AerospikeStore)
  const calls = ['a', 'b', 'c'].map(name => context.run(name, async () => {
    await new Promise(resolve => store.get(name, resolve))
    const afterCallback = context.getStore()
    await store.get(name)
    const inFailed = await new Promise(resolve => store.get('', () => resolve(context.getStore())))
    return [name, afterCallback, context.getStore(), inFailed]
  }))
  for (const [name, ...seen] of await Promise.all(calls)) expect(seen).toStrictEqual([name, name, name])
})

describe.each([['the package is loaded before', false], ['the package is loaded in the request', true]])('if %s', (_, isLazy) => {
  // Node.js alone lets a program leave all contexts, see lib/bridge/no-context.js.
  const keepsNone = isLazy ? except(['bun', 'deno'], 'the context in which the package is loaded is kept') : test
  keepsNone('the context of the request that opens the first store is not kept alive', async () => {
    const program = `
      const { AsyncLocalStorage } = require('node:async_hooks')
      const context = new AsyncLocalStorage()
      const pass = ms => new Promise(resolve => setTimeout(resolve, ms))
      let alive = 0
      const gone = new FinalizationRegistry(() => { alive -= 1 })
      ${isLazy ? '' : "require('../..')"}
      function request () {
        const state = { big: new Array(1e6).fill(1.5) }
        gone.register(state)
        alive += 1
        return context.run(state, () => {
          const { AerospikeStore } = require('../..')
          const store = new AerospikeStore({ hosts: process.argv.at(-2), set: process.argv.at(-1) })
          store.on('gone', () => console.log(context.getStore()?.big.length))
          store.on('up', () => console.log(String(context.getStore())))
          return store
        })
      }
      async function main () {
        const store = request()
        await store.ready()
        await store.length()
        for (let n = 0; n < 20 && alive > 0; n++) { global.gc(); await pass(50) }
        console.log(alive)
        await store.close()
      }
      main()
    `
    const child = spawn(process.execPath, ['--expose-gc', '-e', program, '--', hosts(), freshSet()], { cwd: __dirname, stdio: ['ignore', 'pipe', 'inherit'] })
    let out = ''
    child.stdout.on('data', data => { out += data })
    await once(child, 'close')
    expect(out).toBe('undefined\n0\n')
  })
})

// Bun: see support/jest.bun.config.js. On Deno, jest frees the sandbox of no file.
except(['bun', 'deno'], 'jest works on Node.js alone')('jest: test files that do not close their stores leave nothing behind', async () => {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'aerospike-session-')))
  try {
    fs.writeFileSync(path.join(folder, 'jest.config.js'), "module.exports = { rootDir: __dirname, testEnvironment: 'node', transform: {} }")
    for (let n = 0; n < FILES; n++) {
      fs.writeFileSync(path.join(folder, `${n}.test.js`), `(${carelessTests})(${JSON.stringify([path.join(__dirname, '../..'), hosts(), freshSet()])})`)
    }
    const jest = path.join(path.dirname(require.resolve('jest/package.json')), 'bin/jest.js')
    const child = spawn(process.execPath, ['--expose-gc', jest, '--runInBand', '--logHeapUsage'], { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
    let out = ''
    child.stderr.on('data', data => { out += data })
    const [code] = await once(child, 'close')
    expect([code, out]).toStrictEqual([0, expect.stringContaining(`Test Suites: ${FILES} passed`)])
    const sizes = [...out.matchAll(/\((\d+) MB heap size\)/g)].map(([, size]) => Number(size))
    expect(sizes).toHaveLength(FILES)
    // Sandboxes are freed one or two files later.
    expect(Math.max(...sizes.slice(2)) - sizes[0]).toBeLessThan(3 * BALLAST)
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }

  /** A test file that does not close its stores, some of them with operations in flight. */
  function carelessTests ([root, hosts, set]) {
    const { AerospikeStore, SessionStore } = require(root)
    const { KoaStore } = require(`${root}/exports/koa`)
    const ballast = new Array(2e6).fill(1.5)
    test('it stores', async () => {
      const store = new SessionStore({ hosts, set })
      await store.save('a', { n: ballast.length })
      new AerospikeStore({ hosts, set, whenDown: 'anonymous' }).on('gone', () => {}).on('up', () => {})
      await new KoaStore({ hosts, set }).ready()
      for (let n = 0; n < 5; n++) store.get('a', () => {})
      await store.delete('a')
    })
  }
}, 60_000)
