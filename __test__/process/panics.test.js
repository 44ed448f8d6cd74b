'use strict'

// A panic in the core fails only the operations that it affects. The process and the store keep working. The tests use a core
// that panics on demand (src/failpoint.rs), which npm test builds.

const { spawn } = require('node:child_process')
const { once } = require('node:events')
const { freshSet, hosts } = require('../support/server')

const PLACES = ['entry', 'drive', 'serve', 'flight', 'many', 'connect', 'take', 'convert']
/** Failpoints on the JavaScript thread, which have no name. The environment selects them. */
const NAMELESS = ['take', 'convert']
/** Failpoints that need not fail an operation: connecting is retried, and answers are taken again. */
const HARMLESS = ['connect', 'take']

/** Runs in its own process: 50 operations of each kind, and a check of what is left. */
async function run (main, core, place, options) {
  const loaded = { exports: {} }
  process.dlopen(loaded, core)
  const binding = require.resolve(`${main}/lib/bridge/native.js`)
  require.cache[binding] = { id: binding, filename: binding, loaded: true, exports: loaded.exports }
  const { AerospikeSessionError, AerospikeStore, SessionStore } = require(main)
  const sessions = new SessionStore(options)
  const store = new AerospikeStore({ client: sessions })
  const outcomes = { succeeded: 0 }
  const note = promise => promise.then(() => { outcomes.succeeded += 1 }, error => {
    const what = error instanceof AerospikeSessionError ? `${error.code}: ${error.message}` : `not ours: ${error}`
    outcomes[what] = (outcomes[what] ?? 0) + 1
  })
  const asked = []
  for (let n = 0; n < 50; n++) {
    // Some wait for others on the same session.
    const id = `s${n % 10}`
    asked.push(note(sessions.save(id, { n })), note(sessions.get(id)), note(store.length()))
    asked.push(note(new Promise((resolve, reject) => store.get(id, error => error ? reject(error) : resolve()))))
  }
  await Promise.all(asked)
  await sessions.save('after', { n: 1 })
  const after = await sessions.get('after')
  await store.clear()
  await sessions.close()
  console.log(JSON.stringify({ outcomes, asked: asked.length, after }))
}

/** Runs in its own process: a list in several pieces, twice, and the events of the connection. */
async function list (main, core, options) {
  const loaded = { exports: {} }
  process.dlopen(loaded, core)
  const binding = require.resolve(`${main}/lib/bridge/native.js`)
  require.cache[binding] = { id: binding, filename: binding, loaded: true, exports: loaded.exports }
  const { AerospikeStore, SessionStore } = require(main)
  const client = new SessionStore(options)
  const store = new AerospikeStore({ client })
  const events = []
  client.on('up', () => events.push('up'))
  await store.ready()
  const pad = 'p'.repeat(1_000)
  await Promise.all(Array.from({ length: 800 }, (_, n) => store.set(`s${n}`, { cookie: {}, n, pad })))
  const count = () => store.all().then(all => all.length, error => error.code)
  const lists = [await count(), await count()]
  const one = (await store.get('s1')).n
  await store.clear()
  await client.close()
  console.log(JSON.stringify({ lists, one, events }))
}

async function listWith (place) {
  const options = { hosts: hosts(), set: freshSet(), storeIds: true, timeout: 20_000 }
  const program = `(${list})(...${JSON.stringify([require.resolve('../..').replace(/\/index\.js$/, ''), core, options])})`
  const child = spawn(process.execPath, ['-e', program], { env: { ...process.env, AEROSPIKE_SESSION_FAILPOINT: `panic-in-${place}` } })
  let [out, err] = ['', '']
  child.stdout.on('data', data => { out += data })
  child.stderr.on('data', data => { err += data })
  const [code, signal] = await once(child, 'close')
  expect({ code, signal, err: err.replace(/at .*:\d+:\d+/g, 'at PLACE') }).toEqual({
    code: 0, signal: null, err: place === 'nothing' ? '' : 'aerospike-session: internal error at PLACE\n'
  })
  return JSON.parse(out)
}

const core = process.env.TEST_FAILPOINTS
const describeIf = core === undefined ? describe.skip : describe

describeIf('a panic', () => {
  test.each(PLACES)('in %s fails only the affected operations', async place => {
    const set = place === 'connect' || NAMELESS.includes(place) ? freshSet() : `panic-in-${place}`
    const where = place === 'connect' ? `panic-in-connect,${hosts()}` : hosts()
    const options = { hosts: where, set, timeout: 5_000 }
    const program = `(${run})(...${JSON.stringify([require.resolve('../..').replace(/\/index\.js$/, ''), core, place, options])})`
    const env = NAMELESS.includes(place) ? { AEROSPIKE_SESSION_FAILPOINT: `panic-in-${place}` } : {}
    const child = spawn(process.execPath, ['-e', program], { env: { ...process.env, ...env } })
    let [out, err] = ['', '']
    child.stdout.on('data', data => { out += data })
    child.stderr.on('data', data => { err += data })
    const [code, signal] = await once(child, 'close')
    expect({ code, signal, err: err.replace(/at .*:\d+:\d+/g, 'at PLACE') }).toEqual({
      code: 0, signal: null, err: 'aerospike-session: internal error at PLACE\n'
    })
    const { outcomes, asked, after } = JSON.parse(out)
    expect(after).toEqual({ n: 1 })
    const { succeeded, ...failures } = outcomes
    const struck = Object.values(failures).reduce((all, one) => all + one, 0)
    expect(struck + succeeded).toBe(asked)
    // Operations that share a batch or a queue with it may fail, too.
    if (!HARMLESS.includes(place)) expect(struck).toBeGreaterThan(0)
    if (place === 'take') expect(struck).toBe(0)
    if (!HARMLESS.includes(place)) expect(succeeded).toBeGreaterThan(0)
    for (const failure of Object.keys(failures)) expect(failure).toMatch(/^SERVER: (\w+: )?an internal error: the operation was given up$/)
  })

  test('in a piece of a list fails that list, and the next one is complete', async () => {
    expect(await listWith('piece')).toEqual({ lists: ['BAD_DATA', 800], one: 1, events: ['up'] })
  })

  test('in a notice loses only that notice', async () => {
    expect(await listWith('nothing')).toEqual({ lists: [800, 800], one: 1, events: ['up'] })
    expect(await listWith('notice')).toEqual({ lists: [800, 800], one: 1, events: [] })
  })
})
