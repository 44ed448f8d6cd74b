'use strict'

// Operations whose timeout expires, and those that wait behind them.

const { setTimeout: pass } = require('node:timers/promises')
const { SessionStore } = require('../..')
const { DevServer } = require('../../exports/dev-server')

const open = []
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await (one.close?.() ?? one.stop())
})

async function start (options) {
  const server = await DevServer.start(options)
  open.push(server)
  return server
}

async function connect (server, options) {
  const sessions = new SessionStore({ hosts: server.hosts, ...options })
  open.push(sessions)
  await sessions.ready()
  return sessions
}

/** Returns the `value` or `error` of an operation, and the milliseconds it took. */
async function outcome (promise) {
  const begun = performance.now()
  const settled = await promise.then(value => ({ value }), error => ({ error }))
  return { ...settled, took: performance.now() - begun }
}

describe('a write whose timeout expires', () => {
  const TIMEOUT = 1_000

  /** Opens five stores, each with sessions `a` and `b` whose writes take 300 ms. The fourth write to `a` has 100 ms left. */
  async function slowWrites (then) {
    const server = await start()
    const stores = await Promise.all(Array.from({ length: 5 }, () => connect(server, { timeout: TIMEOUT })))
    const slow = await server.inject({ kind: 'latency', on: 'write', ms: 300 })
    const outcomes = Promise.all(stores.map(async (sessions, n) => {
      const [a, b] = [`a${n}`, `b${n}`]
      const waiting = []
      for (let i = 0; i < 3; i++) for (const id of [a, b]) waiting.push(outcome(sessions.save(id, { i })))
      const late = outcome(sessions.save(a, { n: 'late' }))
      await pass(500)
      const next = outcome(then(sessions, a))
      await pass(300)
      // It is sent together with the late one, but has much more time.
      waiting.push(outcome(sessions.save(b, { n: 'last' })))
      await Promise.all(waiting)
      return { late: await late, next: await next }
    }))
    // Requests in flight stay delayed. Later ones are not.
    await pass(950)
    await slow.remove()
    const settled = await outcomes
    await pass(500)
    const left = await Promise.all(stores.map((sessions, n) => sessions.get(`a${n}`)))
    return settled.map((outcome, n) => ({ ...outcome, left: left[n] }))
  }

  test('is not applied after the logout that followed it', async () => {
    const outcomes = await slowWrites((sessions, id) => sessions.delete(id))
    for (const { late, next, left } of outcomes) {
      expect(late.error).toMatchObject({ code: 'TIMEOUT', inDoubt: true })
      expect(next.error).toBeUndefined()
      expect(left).toBe(null)
    }
  }, 30_000)

  test('does not replace later data', async () => {
    const outcomes = await slowWrites((sessions, id) => sessions.save(id, { n: 'next' }))
    for (const { next, left } of outcomes) if (next.error === undefined) expect(left).toEqual({ n: 'next' })
  }, 30_000)

  test('is not in doubt if it was never sent', async () => {
    const server = await start()
    const sessions = await connect(server, { timeout: 600 })
    await sessions.save('warm', {})
    await server.freeze(0)
    // Each is too large to share a batch.
    const large = 'x'.repeat(200_000)
    const outcomes = await Promise.all(Array.from({ length: 100 }, (_, n) => outcome(sessions.save(`s${n}`, { large }))))
    await server.thaw(0)
    await pass(600)
    expect(outcomes.filter(({ error }) => error.inDoubt).length).toBeGreaterThan(0)
    const never = outcomes.flatMap(({ error }, n) => error.inDoubt ? [] : [n])
    expect(never.length).toBeGreaterThan(0)
    for (const n of never) expect(await sessions.has(`s${n}`)).toBe(false)
  }, 30_000)
})

describe('a read', () => {
  const id = n => `s${n}`

  test('is not delayed by a touch of the same session that waits for a silent node', async () => {
    const server = await start({ nodes: 3 })
    const sessions = await connect(server)
    const count = 60
    await Promise.all(Array.from({ length: count }, (_, n) => sessions.save(id(n), { n })))
    await server.freeze(1)
    const touches = []
    const reads = await Promise.all(Array.from({ length: count }, (_, n) => {
      touches.push(outcome(sessions.touch(id(n))))
      return outcome(sessions.get(id(n)))
    }))
    expect(reads.map(({ value, error }) => value ?? error)).toEqual(Array.from({ length: count }, (_, n) => ({ n })))
    // A node counts as silent after a sixth of the timeout.
    expect(Math.max(...reads.map(({ took }) => took))).toBeLessThan(2_000)
    await server.thaw(1)
    await Promise.all(touches)
  }, 30_000)

  test('waits a part of its timeout for a write of the same session to a silent node', async () => {
    const server = await start({ nodes: 3 })
    const sessions = await connect(server)
    const count = 60
    await Promise.all(Array.from({ length: count }, (_, n) => sessions.save(id(n), { old: n })))
    await server.freeze(1)
    const writes = []
    const reads = await Promise.all(Array.from({ length: count }, (_, n) => {
      writes.push(outcome(sessions.save(id(n), { new: n })))
      return outcome(sessions.get(id(n)))
    }))
    for (const [n, { value }] of reads.entries()) expect([{ old: n }, { new: n }]).toContainEqual(value)
    expect(Math.max(...reads.map(({ took }) => took))).toBeLessThan(2_000)
    await server.thaw(1)
    // Every later read sees an acknowledged write.
    for (const [n, { error }] of (await Promise.all(writes)).entries()) {
      if (error === undefined) expect(await sessions.get(id(n))).toEqual({ new: n })
    }
  }, 30_000)

  test('waits for a write of the same session that is almost finished', async () => {
    const server = await start()
    const sessions = await connect(server)
    await server.inject({ kind: 'latency', on: 'write', ms: 100 })
    sessions.save('a', { n: 1 })
    expect(await sessions.get('a')).toEqual({ n: 1 })
  })

  test('has its own deadline if it shares an answer with an earlier read', async () => {
    const server = await start()
    const sessions = await connect(server, { timeout: 1_000 })
    await sessions.save('a', { n: 1 })
    await server.inject({ kind: 'latency', on: 'read', ms: 300 })
    const slow = await server.inject({ kind: 'silent', on: 'read' })
    // The first read is in flight until its deadline. The others wait for it and share the next one.
    const reads = [outcome(sessions.get('a'))]
    for (const ms of [200, 200, 200]) {
      await pass(ms)
      reads.push(outcome(sessions.get('a')))
    }
    await pass(350)
    await slow.remove()
    const [first, ...others] = await Promise.all(reads)
    expect(first.error).toMatchObject({ code: 'TIMEOUT' })
    for (const { error, took } of others) {
      if (error === undefined) continue
      expect(error).toMatchObject({ code: 'TIMEOUT' })
      expect(took).toBeGreaterThan(900)
    }
    expect(others.at(-1).value).toEqual({ n: 1 })
  })
})

test('close() calls back if closing fails', async () => {
  const server = await start()
  const native = require('../../lib/bridge/native')
  const sessions = await connect(server)
  const close = jest.spyOn(native, 'close').mockImplementation(() => { throw new Error('planted') })
  const error = await new Promise(resolve => sessions.close(resolve))
  close.mockRestore()
  expect(error).toMatchObject({ code: 'SERVER' })
  open.splice(open.indexOf(sessions), 1)
})
