'use strict'

// Watching sessions: the signal aborts when the session has ended, and only then.

const crypto = require('node:crypto')
const { AsyncLocalStorage } = require('node:async_hooks')
const { spawn } = require('node:child_process')
const { once } = require('node:events')
const path = require('node:path')
const { setTimeout: pass } = require('node:timers/promises')
const { AerospikeStore, SessionStore } = require('../..')
const { FastifyStore } = require('../../exports/fastify')
const { HonoStore } = require('../../exports/hono')
const { cookie } = require('../support/cookie')
const opened = require('../support/opened')
const { putRaw } = require('../support/raw-record')
const { freshSet, hosts, openStore } = require('../support/server')
const { WireTap } = require('../support/wire-tap')

/** Seconds. */
const INTERVAL = 0.2
/** An interval that no test waits for: what it sees comes without a check. */
const LONG = 3_600
const MINUTE = 60_000

const session = (life = MINUTE, data = {}) => ({ cookie: cookie(life), ...data })

/** Resolves with the reason when the watch has ended. */
async function ended ({ signal }) {
  if (!signal.aborted) await new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }))
  return signal.reason
}

/** Waits until the store has checked what it watches: for the first time, and then for two intervals of `INTERVAL`. */
async function checked (store) {
  expect(await ended(store.watch('a session that was never stored'))).toBe('gone')
  await pass(INTERVAL * 1_000 * 2)
}

/** Opens two stores on one set, as two processes do. */
function openTwo (options = {}) {
  const set = freshSet()
  const [here, there] = [openStore({ set, watchInterval: INTERVAL, ...options }), openStore({ set, ...options })]
  for (const store of [here, there]) store.on('warning', () => {})
  return [here, there]
}

describe('a watch ends with "gone"', () => {
  const REMOVALS = {
    'destroy()': store => store.destroy('a'),
    'destroyOf()': store => store.destroyOf('ada'),
    'clear()': store => store.clear(),
    'a set of a session that has ended': store => store.set('a', session(-1_000)),
    'delete() of its client': store => store.client.delete('a')
  }

  test.each(Object.keys(REMOVALS).flatMap(name => [[name, {}], [name, { tombstones: true }]]))('at once after %s of this process, options %j', async (name, options) => {
    const [store] = openTwo({ user: 'user', watchInterval: LONG, ...options })
    await store.set('a', session(MINUTE, { user: 'ada' }))
    await store.set('b', session(MINUTE, { user: 'grace' }))
    const [watch, again, other] = [store.watch('a'), store.watch('a'), store.watch('b')]
    await REMOVALS[name](store)
    expect(await ended(watch)).toBe('gone')
    expect(await ended(again)).toBe('gone')
    if (name !== 'clear()') expect(other.signal.aborted).toBe(false)
  })

  test.each([[{}], [{ tombstones: true }], [{ prefix: 'shop:' }], [{ hashIds: ''.padEnd(16, 'x') }], [{ format: 'json' }]])('after a logout in another process, options %j', async options => {
    const [here, there] = openTwo(options)
    await here.set('a', session())
    await here.set('b', session())
    const [watch, other] = [here.watch('a'), here.watch('b')]
    await checked(here)
    expect(watch.signal.aborted).toBe(false)
    await there.destroy('a')
    expect(await ended(watch)).toBe('gone')
    expect(other.signal.aborted).toBe(false)
  })

  test('if there is no session', async () => {
    const [store] = openTwo()
    expect(await ended(store.watch('never stored'))).toBe('gone')
    await store.set('a', session())
    await store.destroy('a')
    expect(await ended(store.watch('a'))).toBe('gone')
  })

  test('if another session was stored under the same id', async () => {
    const [here, there] = openTwo()
    await here.set('a', session())
    const watch = here.watch('a')
    await checked(here)
    await there.destroy('a')
    await pass(2)
    await there.set('a', session())
    expect(await ended(watch)).toBe('gone')
    const next = here.watch('a')
    await checked(here)
    expect(next.signal.aborted).toBe(false)
  })

  test('if the session was stored without a store, and removed', async () => {
    const set = freshSet()
    const store = openStore({ set, watchInterval: INTERVAL })
    const json = Buffer.from('{"n":1}')
    expect(await putRaw(hosts(), ['test', set, 'a'], { data: ['string', json] })).toBe(0)
    const watch = store.watch('a')
    await checked(store)
    expect(watch.signal.aborted).toBe(false)
    await openStore({ set }).destroy('a')
    expect(await ended(watch)).toBe('gone')
  })

  test('but not with the session of another prefix that has the same key', async () => {
    const set = freshSet()
    const shop = openStore({ set, prefix: 'shop:', watchInterval: LONG })
    const beta = openStore({ set, prefix: 'shop:beta:' })
    await shop.set('beta:x', session())
    const watch = shop.watch('beta:x')
    await beta.destroy('x')
    await checked(shop)
    expect(watch.signal.aborted).toBe(false)
    expect(await ended(beta.watch('x'))).toBe('gone')
  })
})

describe('a watch ends with "expired"', () => {
  test('when the session ends, without waiting for a check', async () => {
    const [store] = openTwo({ watchInterval: LONG })
    await store.set('a', session(600))
    expect(await ended(store.watch('a'))).toBe('expired')
    expect(await store.get('a')).toBeNull()
  })

  test('when a write of this process has moved its end forward', async () => {
    const [store] = openTwo({ watchInterval: LONG })
    await store.set('a', session())
    const watch = store.watch('a')
    await checked(store)
    const loaded = await store.get('a')
    loaded.cookie = cookie(500)
    await store.set('a', loaded)
    expect(await ended(watch)).toBe('expired')
  })

  test('but not before, if another process has extended it', async () => {
    const [here, there] = openTwo({ watchInterval: LONG })
    await here.set('a', session(700))
    const watch = here.watch('a')
    await checked(here)
    const loaded = await there.get('a')
    await there.touch('a', { ...loaded, cookie: cookie(MINUTE) })
    const left = new Date((await there.get('a')).cookie.expires).getTime() - Date.now()
    expect(left).toBeGreaterThan(700)
    await pass(900)
    expect(watch.signal.aborted).toBe(false)
    await here.destroy('a')
    expect(await ended(watch)).toBe('gone')
  })

  test('at the end of absoluteTtl, although it is touched', async () => {
    const [store] = openTwo({ absoluteTtl: 1.5 })
    await store.set('a', session(1_000))
    expect(await ended(store.watch('a', { touch: true }))).toBe('expired')
  })
})

describe('with touch', () => {
  test.each([
    ['the maximum age of its cookie', { format: 'map' }, () => session(1_200)],
    ['the maximum age of its cookie, as JSON', { format: 'json' }, () => session(1_200)],
    ['the maximum age of its encrypted cookie', { encryptionKeys: [crypto.randomBytes(32)] }, () => session(1_200)],
    ['ttl, without a maximum age', { ttl: 1.2 }, () => ({ cookie: { originalMaxAge: null, expires: null, path: '/' } })]
  ])('a session is extended by %s', async (_, options, make) => {
    const [here, there] = openTwo({ watchInterval: LONG, ...options })
    await here.set('a', make())
    const watch = here.watch('a', { touch: true })
    // More than two lives.
    await pass(2_600)
    expect(await there.get('a')).not.toBeNull()
    expect(watch.signal.aborted).toBe(false)
    watch.stop()
    const rest = here.watch('a')
    expect(await ended(rest)).toBe('expired')
  }, 20_000)

  test('one of two watches is enough, and nothing is written while more than half of the life is left', async () => {
    const tap = await WireTap.start()
    opened.cleanups.push(() => tap.stop())
    const store = opened.open(tap, { watchInterval: INTERVAL }, AerospikeStore)
    await store.set('a', session(MINUTE))
    const commands = await tap.during(async () => {
      const watches = [store.watch('a'), store.watch('a', { touch: true })]
      // The first check, before another session is watched: two sessions may be checked by one batch.
      await pass(INTERVAL * 1_000)
      await checked(store)
      for (const watch of watches) watch.stop()
    })
    expect(new Set(commands)).toEqual(new Set(['read']))
  })

  test('a session that was removed does not come back', async () => {
    const [here, there] = openTwo({ watchInterval: LONG })
    await here.set('a', session(1_000))
    const watch = here.watch('a', { touch: true })
    await there.destroy('a')
    expect(['gone', 'expired']).toContain(await ended(watch))
    expect(await there.get('a')).toBeNull()
    expect(await there.length()).toBe(0)
  })

  test('and without, a server that extends records when they are read does not extend them for a watch', async () => {
    const server = await opened.start()
    await server.configure('test', { defaultReadTouchTtlPct: 100 })
    const store = opened.open(server, { watchInterval: INTERVAL }, AerospikeStore)
    await store.set('a', session(3_000))
    expect(await ended(store.watch('a'))).toBe('expired')
  }, 20_000)

  test('is refused if option ttl is a function', () => {
    const store = openStore({ ttl: () => 60 })
    expect(() => store.watch('a', { touch: true })).toThrow(expect.objectContaining({ code: 'BAD_OPTION', message: expect.stringContaining("'ttl' is a function") }))
    store.watch('a').stop()
  })
})

describe('a cluster that does not answer', () => {
  test('ends no watch, and watching goes on afterwards', async () => {
    const server = await opened.start()
    const options = { timeout: 300, connectTimeout: 300, watchInterval: INTERVAL }
    const store = opened.open(server, options, AerospikeStore)
    store.on('warning', () => {})
    await store.set('a', session())
    await store.set('short', session(800))
    await store.set('b', session())
    const watches = ['a', 'b', 'short'].map(sid => store.watch(sid))
    await checked(store)
    await server.freeze()
    await pass(1_500)
    expect(watches.map(({ signal }) => signal.aborted)).toEqual([false, false, false])
    await server.thaw()
    expect(await ended(watches[2])).toBe('expired')
    await opened.open(server, {}, AerospikeStore).destroy('a')
    expect(await ended(watches[0])).toBe('gone')
    expect(watches[1].signal.aborted).toBe(false)
  }, 30_000)

  test('does not fail what visitors do: checks do not count as pending operations', async () => {
    const server = await opened.start()
    const store = opened.open(server, { maxPending: 1, watchInterval: INTERVAL }, AerospikeStore)
    for (let n = 0; n < 300; n++) await store.set(`s${n}`, session())
    await server.inject({ kind: 'latency', ms: 300, on: 'any' })
    const watches = Array.from({ length: 300 }, (_, n) => store.watch(`s${n}`))
    for (let n = 0; n < 5; n++) expect(await store.get(`s${n}`)).toMatchObject({ cookie: {} })
    expect(watches.some(({ signal }) => signal.aborted)).toBe(false)
    expect(store.stats().inFlight).toBe(0)
  }, 30_000)
})

describe('many watched sessions', () => {
  const COUNT = 1_000

  test('are checked in batches of at most 128, once an interval', async () => {
    const store = openStore({ watchInterval: 1 })
    await Promise.all(Array.from({ length: COUNT }, (_, n) => store.set(`s${n}`, session())))
    const watches = Array.from({ length: COUNT }, (_, n) => store.watch(`s${n}`))
    // The first check of each.
    const probe = store.watch('never stored')
    expect(await ended(probe)).toBe('gone')
    const before = store.stats()
    await pass(3_000)
    const after = store.stats()
    const [batches, batched] = [after.batches - before.batches, after.batched - before.batched]
    expect(batched).toBeGreaterThan(COUNT)
    expect(batched).toBeLessThan(5 * COUNT)
    expect(batched / batches).toBeGreaterThan(20)
    expect(batched / batches).toBeLessThanOrEqual(128)
    await store.clear()
    expect(await Promise.all(watches.map(ended))).toEqual(Array(COUNT).fill('gone'))
  }, 30_000)
})

describe('stop()', () => {
  test.each([['stop', watch => watch.stop()], ['Symbol.dispose', watch => watch[Symbol.dispose]()]])('ends a watch without an abort (%s)', async (_, stop) => {
    const [store] = openTwo()
    await store.set('a', session())
    const [watch, other] = [store.watch('a'), store.watch('a')]
    stop(watch)
    stop(watch)
    await store.destroy('a')
    expect(await ended(other)).toBe('gone')
    await checked(store)
    expect(watch.signal.aborted).toBe(false)
    stop(other)
  })

  test('is not needed before close(), which aborts nothing', async () => {
    const server = await opened.start()
    const sessions = opened.open(server)
    const store = opened.open(server, { watchInterval: INTERVAL }, AerospikeStore)
    await store.set('a', session())
    const watch = store.watch('a')
    await store.close()
    await sessions.delete('a')
    await pass(3 * INTERVAL * 1_000)
    expect(watch.signal.aborted).toBe(false)
    watch.stop()
    expect(() => store.watch('a')).toThrow(expect.objectContaining({ code: 'CLOSED' }))
  })
})

test('a wrong id or option throws', () => {
  const store = openStore()
  for (const sid of [undefined, '', 5, 'x'.repeat(65_537)]) {
    expect(() => store.watch(sid)).toThrow(expect.objectContaining({ name: 'AerospikeSessionError', code: 'BAD_KEY' }))
  }
  for (const options of [{ tuch: true }, { touch: 1 }, 5]) {
    expect(() => store.watch('a', options)).toThrow(expect.objectContaining({ code: 'BAD_OPTION' }))
  }
  for (const watchInterval of [0, 0.05, 3_601, '5', NaN]) {
    expect(() => new AerospikeStore({ watchInterval })).toThrow(expect.objectContaining({ code: 'BAD_OPTION', message: expect.stringContaining("option 'watchInterval'") }))
  }
  expect(() => new SessionStore({ watchInterval: 5 })).toThrow(expect.objectContaining({ code: 'BAD_OPTION' }))
})

test('several stores of one client watch at once, and see what the others remove', async () => {
  const client = new SessionStore({ hosts: hosts(), set: freshSet() })
  opened.cleanups.push(() => client.close())
  const [one, other] = [new AerospikeStore({ client, watchInterval: LONG }), new AerospikeStore({ client })]
  await one.set('a', session())
  const watch = one.watch('a')
  await other.destroy('a')
  expect(await ended(watch)).toBe('gone')
})

test('stores of other frameworks watch by their inner store', async () => {
  const set = freshSet()
  const [fastify, hono] = [new FastifyStore({ hosts: hosts(), set }), new HonoStore({ hosts: hosts(), set })]
  for (const one of [fastify, hono]) opened.cleanups.push(() => one.close())
  await fastify.store?.ready?.()
  const inner = hono.store
  await inner.set('a', session())
  const watches = [inner.watch('a'), (fastify.store ?? fastify).watch('a')]
  await inner.destroy('a')
  expect(await ended(watches[0])).toBe('gone')
  watches[1].stop()
})

test('listeners have no AsyncLocalStorage context', async () => {
  const context = new AsyncLocalStorage()
  const [store] = openTwo({ watchInterval: LONG })
  await store.set('a', session())
  const watch = context.run('a request', () => store.watch('a'))
  const seen = new Promise(resolve => context.run('a listener', () => watch.signal.addEventListener('abort', () => resolve(context.getStore()))))
  await context.run('a logout', () => store.destroy('a'))
  expect(await seen).toBeUndefined()
})

describe('a process', () => {
  /** Runs a program with `open(options)`, and resolves with its output and exit code. */
  async function run (program, flags = []) {
    const main = `
      const { AerospikeStore } = require(${JSON.stringify(path.join(__dirname, '../..'))})
      const open = options => new AerospikeStore({ hosts: ${JSON.stringify(hosts())}, set: ${JSON.stringify(freshSet())}, ...options })
      const session = () => ({ cookie: { originalMaxAge: 60000, expires: new Date(Date.now() + 60000), path: '/' } })
      ;(async () => { ${program} })()`
    const child = spawn(process.execPath, [...flags, '-e', main], { stdio: ['ignore', 'pipe', 'inherit'] })
    let out = ''
    child.stdout.on('data', data => { out += data })
    const [code] = await once(child, 'close')
    return { code, out }
  }

  test('is not kept alive by a watch', async () => {
    const program = `
      const store = open({ watchInterval: 0.1 })
      await store.set('a', session())
      store.watch('a', { touch: true }).signal.addEventListener('abort', () => console.log('aborted'))
      await new Promise(resolve => setTimeout(resolve, 500))
      console.log('done')`
    expect(await run(program)).toEqual({ code: 0, out: 'done\n' })
  }, 20_000)

  test('reports what a listener throws, and calls the others', async () => {
    const program = `
      const store = open({ watchInterval: 0.1 })
      process.on('uncaughtException', error => console.log(error.message))
      await store.set('a', session())
      const watches = [1, 2].map(() => store.watch('a'))
      const done = Promise.all(watches.map(({ signal }, n) => new Promise(resolve => signal.addEventListener('abort', () => {
        resolve()
        if (n === 0) throw new Error('from a listener')
      }))))
      await store.destroy('a')
      await done
      await store.close()
      console.log('done')`
    expect(await run(program)).toEqual({ code: 0, out: 'from a listener\ndone\n' })
  }, 20_000)

  test('keeps a store that only the listener of a watch knows, and frees it after the watch has ended', async () => {
    const program = `
      let freed = 0
      const registry = new FinalizationRegistry(() => { freed += 1 })
      const other = open()
      await other.set('a', session())
      const collect = async () => { global.gc(); await new Promise(resolve => setTimeout(resolve, 20)) }
      const ended = new Promise(resolve => {
        const store = open({ watchInterval: 0.1 })
        registry.register(store.client, 'client')
        const { signal } = store.watch('a')
        signal.addEventListener('abort', () => resolve(signal.reason))
      })
      for (let n = 0; n < 30; n++) await collect()
      await other.destroy('a')
      for (let n = 0; n < 50; n++) await collect()
      console.log(await ended)
      while (freed === 0) await collect()
      await other.close()`
    expect(await run(program, ['--expose-gc'])).toEqual({ code: 0, out: 'gone\n' })
  }, 20_000)
})
