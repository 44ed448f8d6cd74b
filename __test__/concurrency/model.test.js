'use strict'

// Random histories of Express requests on a few sessions, run on real stores and compared with a small model of the contract
// (support/model.js).
//
// The requests of a history take turns, step by step. Some steps are not awaited, and some requests are served by another store.
// In between, other programs write the same sessions (support/other-writers.js): an administrator's program, another process, the
// recipe, the official client, and a store with another prefix. On a dev server, faults happen too (support/model-faults.js): slow
// answers, errors and lost answers.
//
// MODEL_RUNS=20000 runs that many histories, a third of them with faults. A failed history prints a seed and a path:
// MODEL_SEED=1 MODEL_PATH=2:1 repeats it.

const crypto = require('node:crypto')
const fc = require('fast-check')
const { DevServer } = require('../../exports/dev-server')
const { AerospikeStore, SessionStore } = require('../..')
const { TTL, histories, run } = require('../support/history')
const { OfficialClient } = require('../support/official-client')
const { nodeReason } = require('../support/official')
const { freshSet, hasNoTtlNamespace, hosts, openSessions, openStore } = require('../support/server')
const { OtherProcess, keyOf, loginOf, ownerOf } = require('../support/other-writers')

const RUNS = Number(process.env.MODEL_RUNS ?? 3_000)
/** Milliseconds: as short as a loaded machine allows, because many steps wait for it to expire. */
const TIMEOUT = 300
/** Seconds: between two checks of what is watched. */
const WATCH_INTERVAL = 0.2
/** The number of histories in parallel. Most of the time each waits for the server. */
const PARALLEL_HISTORIES = { calm: 8, faulty: 24 }
const LIMIT = 60_000 + RUNS * 400

const SECRET = 'a secret of more than 16 bytes'
const encryptionKeys = [crypto.randomBytes(32).toString('base64')]

/** Closes what a test has opened, in reverse order. @type {(() => any)[]} */
const opened = []
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
})

const officialReason = nodeReason()

/** Opens the other writers of a set that these options allow. */
async function openOtherWriters (options, where, closing) {
  const { conflict, maxSessionsPerUser, touchAfter, touchOnRead, user, ...own } = options
  const official = officialReason === undefined ? await OfficialClient.connect(where.hosts) : undefined
  const otherProcess = await OtherProcess.start({ ...options, ...where, ttl: TTL, user: user?.name })
  opened.push(() => otherProcess.close(), () => official?.close())
  const recipe = closing(SessionStore, openSessions, { ...own, ...where, ttl: TTL })
  return { official, otherProcess, recipe, intruder: intruder(options, where, closing) }
}

/** Opens a store whose prefix is the beginning of a key in this set. */
function intruder ({ prefix = '', hashIds, namespace, format }, where, closing) {
  if (hashIds !== undefined) return undefined
  const [mine, rest] = prefix === '' ? ['s', sid => sid.slice(1)] : [prefix.slice(0, -1), sid => `:${sid}`]
  const other = { prefix: mine, ...(namespace && { namespace }), ...(format && { format }) }
  return { store: closing(AerospikeStore, openStore, { ...where, ...other, ttl: TTL, timeout: 5_000 }), idFor: rest }
}

/** Opens the stores for a set of options and runs histories. Fails with the first that differs from the model. */
async function go (options, share, kind, where, closing) {
  const all = { ...options, ...where, ttl: TTL, watchInterval: WATCH_INTERVAL }
  const stores = Array.from({ length: 3 }, () => closing(AerospikeStore, openStore, all))
  const cast = { stores, ...await openOtherWriters(options, where, closing) }
  if (kind === 'faulty') cast.server = where.server
  const [gone, evicted] = [new Map(), new Map()]
  const count = (counts, digest) => counts.set(digest, (counts.get(digest) ?? 0) + 1)
  for (const store of stores) {
    // For renewals (support/history.js).
    store.generate = req => { req.sessionID = req.nextId }
    store.on('gone', ({ digest }) => count(gone, digest))
    store.on('evicted', ({ digest }) => count(evicted, digest))
  }
  cast.evicted = async () => (await cast.otherProcess.evicted()).reduce(count, new Map(evicted))
  for (const store of [...stores, cast.recipe, ...(cast.intruder ? [cast.intruder.store] : [])]) store.on('warning', () => {})
  const goneOf = async sid => {
    const digest = crypto.createHash('ripemd160').update(`${where.set}\u0003${keyOf(options, sid)}`).digest('hex')
    const others = (await cast.otherProcess.gone()).filter(other => other === digest).length
    return (gone.get(digest) ?? 0) + others
  }
  const property = fc.asyncProperty(histories({ faulty: kind === 'faulty', limited: options.maxSessionsPerUser !== undefined }), history => run(history, cast, options, where.set, goneOf))
  const { MODEL_SEED, MODEL_PATH: path } = process.env
  const seed = Number(MODEL_SEED ?? Date.now() % 1_000_000_000)
  const width = path === undefined ? PARALLEL_HISTORIES[kind] : 1
  const settled = await Promise.allSettled(Array.from({ length: width }, (_, n) => fc.assert(property, {
    numRuns: path === undefined ? Math.ceil(RUNS * share / width) : 1, seed: seed + n, path, endOnFailure: path !== undefined, interruptAfterTimeLimit: LIMIT
  })))
  const failed = settled.find(({ status }) => status === 'rejected')
  if (failed === undefined) return
  const [, failedSeed, failedPath] = /seed: (-?\d+), path: "([^"]*)"/.exec(failed.reason.message) ?? []
  const again = `MODEL_SEED=${failedSeed} MODEL_PATH=${failedPath} npx jest model -t '${expect.getState().currentTestName}'`
  throw new Error(`${failed.reason.message}\n\nThe same again: ${again}`, { cause: failed.reason })
}

// Each option with each format at least once, and most of them in combination.
describe.each([
  [0.2, { format: 'map' }],
  [0.2, { format: 'json' }],
  [0.1, { encryptionKeys }],
  [0.05, { format: 'map', conflict: 'overwrite' }],
  [0.05, { format: 'json', conflict: 'overwrite' }],
  [0.05, { format: 'map', absoluteTtl: 86_400, tombstones: true, prefix: 'shop:' }],
  [0.05, { format: 'json', absoluteTtl: 86_400, storeIds: true, touchAfter: 120 }],
  [0.05, { encryptionKeys, absoluteTtl: 86_400, hashIds: SECRET, conflict: 'overwrite' }],
  [0.05, { format: 'map', hashIds: SECRET, touchAfter: 120, user: ownerOf, conflict: 'overwrite' }],
  [0.05, { format: 'json', tombstones: true, hashIds: SECRET, prefix: 'é:', user: ownerOf }],
  [0.05, { encryptionKeys, tombstones: true, storeIds: true, prefix: 'shop:', touchAfter: 120 }],
  [0.05, { format: 'map', storeIds: true, user: ownerOf, absoluteTtl: 86_400 }],
  [0.05, { format: 'map', user: loginOf, maxSessionsPerUser: 2 }],
  [0.05, { format: 'json', user: loginOf, maxSessionsPerUser: { limit: 3, evict: 'idle' }, prefix: 'shop:', tombstones: true }],
  [0.05, { encryptionKeys, user: loginOf, maxSessionsPerUser: 3, hashIds: SECRET }],
  [0.05, { format: 'map', touchOnRead: 80 }],
  [0.05, { format: 'json', touchOnRead: 80, tombstones: true, prefix: 'shop:' }],
  [0.05, { encryptionKeys, touchOnRead: 50, user: ownerOf, storeIds: true }],
  [0.05, { namespace: 'nottl', format: 'map', tombstones: true, absoluteTtl: 86_400 }],
  [0.05, { namespace: 'nottl', format: 'json', prefix: 'shop:', touchAfter: 120 }],
  [0.05, { namespace: 'nottl', encryptionKeys, hashIds: SECRET }]
])('random histories, %d of all,', (share, options) => {
  const named = Object.entries(options).map(([name, value]) => ['encryptionKeys', 'hashIds', 'user'].includes(name) ? name : `${name} ${typeof value === 'object' ? JSON.stringify(value) : value}`)
  const isThere = async () => options.namespace === undefined || await hasNoTtlNamespace()

  test(`match the model with ${named.join(', ')}`, async () => {
    if (!await isThere()) return console.warn('not run: the cluster has no namespace nottl')
    const where = { hosts: hosts(), set: freshSet() }
    // openStore removes the records after all tests.
    await go(options, share, 'calm', where, (_, open, options) => open(options))
  }, LIMIT + 60_000)

  // Faults need a dev server.
  const faulty = process.env.AEROSPIKE_HOSTS === undefined ? test : test.skip
  // A login that fails leaves more sessions than the limit: src/store/session_limit.rs has a model of that, and the simulation.
  if (options.maxSessionsPerUser !== undefined) return
  faulty(`match the model during faults, with ${named.join(', ')}`, async () => {
    const server = await DevServer.start()
    opened.push(() => server.stop())
    const where = { hosts: server.hosts, set: freshSet(), timeout: TIMEOUT }
    const cast = { ...where }
    Object.defineProperty(cast, 'server', { value: server })
    await go(options, share / 2, 'faulty', cast, (Store, _, options) => {
      const store = new Store(options)
      opened.push(() => store.close())
      return store
    })
  }, LIMIT + 60_000)
})
