'use strict'

// A node of three dies while a cache and a site with better-auth are in use, and comes back.
//
//     AEROSPIKE_HOSTS=127.0.0.1:3000,… TEST_NODES='cluster.sh {action} {node}' npx jest node-loss      on a real cluster

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { setTimeout: pause } = require('node:timers/promises')
const { Keyv } = require('keyv')
const { SessionStore } = require('../..')
const { KeyvAerospike } = require('../../exports/keyv')
const { secondaryStorage } = require('../../exports/better-auth')
const { Browser, startSite } = require('../support/better-auth-site')
const { freshSet } = require('../support/server')
const { threeNodes } = require('../support/three-nodes')

jest.setTimeout(300_000)

const VICTIM = 1
/** Milliseconds: longer than the cluster needs to notice that a node is gone, and than it needs to take it back. */
const WITHOUT_NODE = 4_000
const AFTER = 4_000

let cluster, client
beforeAll(async () => {
  cluster = await threeNodes()
  client = new SessionStore({ hosts: cluster.hosts, timeout: 6_000 })
  await client.ready()
})
afterAll(async () => {
  await client.close()
  await cluster.stop()
})

/** Runs `work` again and again, in `parallel` loops, while the node dies and comes back. Returns how often it ran in each phase. */
async function whileNodeDies (parallel, work) {
  const counts = { before: 0, without: 0, after: 0 }
  const state = { phase: 'before' }
  const loops = Array.from({ length: parallel }, async (_, loop) => {
    while (state.phase !== 'over') {
      const { phase } = state
      await work(loop)
      counts[phase]++
      await pause(5)
    }
  })
  const steps = (async () => {
    await pause(500)
    await cluster.kill(VICTIM)
    state.phase = 'without'
    await pause(WITHOUT_NODE)
    await cluster.start(VICTIM)
    state.phase = 'after'
    await pause(AFTER)
    state.phase = 'over'
  })()
  await Promise.all([...loops, steps])
  return counts
}

const many = { before: expect.any(Number), without: expect.any(Number), after: expect.any(Number) }

test('a cache loses no value that was stored, and no call fails', async () => {
  const set = freshSet()
  const cache = new Keyv({ store: new KeyvAerospike({ client, set, throwOnErrors: true }), namespace: 'loss', throwOnErrors: true })
  const stored = new Map()
  const wrong = []
  let serial = 0
  const counts = await whileNodeDies(32, async loop => {
    // Each loop has keys of its own, so that the last value is known.
    const key = `${loop}-${serial++ % 50}`
    const value = `value ${serial}`
    await cache.set(key, value, 600_000)
    stored.set(key, value)
    if (await cache.get(key) !== value) wrong.push(key)
    const keys = [...stored.keys()].filter(key => key.startsWith(`${loop}-`)).slice(0, 20)
    const values = await cache.getMany(keys)
    for (const [n, key] of keys.entries()) if (values[n] !== stored.get(key)) wrong.push(key)
    if (serial % 7 === 0) {
      await cache.delete(key)
      stored.delete(key)
      if (await cache.get(key) !== undefined) wrong.push(key)
    }
  })
  expect(counts).toEqual(many)
  for (const phase of Object.keys(many)) expect(counts[phase]).toBeGreaterThan(20)
  expect(wrong).toEqual([])
  expect(await cache.getMany([...stored.keys()])).toEqual([...stored.values()])
  const found = []
  for await (const [key] of cache.iterator()) found.push(key)
  expect(found.sort()).toEqual([...stored.keys()].sort())
  await cache.clear()
})

test('counters count every increment that was answered', async () => {
  const set = freshSet()
  const { increment, get } = secondaryStorage({ client, set })
  const answered = new Map()
  const repeated = []
  const counts = await whileNodeDies(16, async loop => {
    const key = `counter-${loop}`
    const count = await increment(key, 600)
    const before = answered.get(key) ?? 0
    // Only this loop counts with this key, so an increment that is repeated counts once.
    if (count !== before + 1) repeated.push([key, before, count])
    answered.set(key, count)
  })
  for (const phase of Object.keys(many)) expect(counts[phase]).toBeGreaterThan(20)
  expect(repeated).toEqual([])
  for (const [key, count] of answered) expect(await get(key)).toBe(String(count))
})

test('sessions of better-auth survive, and those that were revoked stay revoked', async () => {
  const set = freshSet()
  const home = fs.mkdtempSync(path.join(os.tmpdir(), 'better-auth-'))
  const { url, stop } = await startSite({ hosts: cluster.hosts, set, home, options: { timeout: 6_000 } })
  try {
    const email = n => `user${n}@example.com`
    const password = 'correct horse battery'
    const browsers = await Promise.all(Array.from({ length: 30 }, async (_, n) => {
      const browser = new Browser(url)
      expect(await browser.ask('/sign-up/email', { name: 'Ada', email: email(n), password })).toMatchObject({ status: 200 })
      return browser
    }))
    const out = new Set()
    const wrong = []
    let next = 0
    const counts = await whileNodeDies(8, async loop => {
      const n = next++ % 30
      if (n % 8 !== loop) return
      const signedIn = await browsers[n].user()
      if (signedIn !== (out.has(n) ? null : email(n))) wrong.push([n, signedIn])
      if (out.has(n)) {
        const { status } = await browsers[n].ask('/sign-in/email', { email: email(n), password })
        if (status === 200) out.delete(n)
        else if (status !== 429) wrong.push([n, status])
      } else if (n % 3 === 0) {
        const { status } = await browsers[n].ask('/sign-out', {})
        if (status !== 200) wrong.push([n, status])
        out.add(n)
      }
    })
    expect(counts).toEqual(many)
    expect(wrong).toEqual([])
    expect(await Promise.all(browsers.map(browser => browser.user()))).toEqual(browsers.map((_, n) => out.has(n) ? null : email(n)))
  } finally {
    await stop()
    fs.rmSync(home, { recursive: true })
    const cache = new KeyvAerospike({ client, set })
    await cache.clear()
  }
})
