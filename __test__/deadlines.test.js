'use strict'

// What happens to an operation whose time is up, and to those that wait with it.

const { setTimeout: pass } = require('node:timers/promises')
const { SessionStore } = require('..')
const { DevServer } = require('../dev-server')

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

/** What came of an operation: `value` or `error`, and the milliseconds it took. */
async function outcome (promise) {
  const begun = performance.now()
  const settled = await promise.then(value => ({ value }), error => ({ error }))
  return { ...settled, took: performance.now() - begun }
}

describe('a write whose time is up', () => {
  const TIMEOUT = 1_000

  /** Five stores of their own, each with sessions `a` and `b` whose writes take 300 ms: the fourth of `a` has 100 ms left. */
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
      // It travels with the late one, and has much more time.
      waiting.push(outcome(sessions.save(b, { n: 'last' })))
      await Promise.all(waiting)
      return { late: await late, next: await next }
    }))
    // What is under way stays delayed, what follows it is not.
    await pass(950)
    await slow.remove()
    const settled = await outcomes
    await pass(500)
    const left = await Promise.all(stores.map((sessions, n) => sessions.get(`a${n}`)))
    return settled.map((outcome, n) => ({ ...outcome, left: left[n] }))
  }

  test('is not carried out after the logout that followed it', async () => {
    const outcomes = await slowWrites((sessions, id) => sessions.delete(id))
    for (const { late, next, left } of outcomes) {
      expect(late.error).toMatchObject({ code: 'TIMEOUT', inDoubt: true })
      expect(next.error).toBeUndefined()
      expect(left).toBe(null)
    }
  }, 30_000)

  test('does not replace what was saved after it', async () => {
    const outcomes = await slowWrites((sessions, id) => sessions.save(id, { n: 'next' }))
    for (const { next, left } of outcomes) if (next.error === undefined) expect(left).toEqual({ n: 'next' })
  }, 30_000)

  test('is not in doubt if it never left', async () => {
    const server = await start()
    const sessions = await connect(server, { timeout: 600 })
    await sessions.save('warm', {})
    await server.freeze(0)
    // Each is too large to travel with another.
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
