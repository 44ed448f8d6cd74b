'use strict'

// Random histories of express requests on a few sessions, run on real stores, against a model of
// the contract small enough to be read (support/model.js).
//
// The requests of a history take turns, step by step; some steps are not waited for, some requests are served by another store. In
// between strangers write the same sessions (support/other-writers.js): an administrator's program, another process, the recipe, the
// official client, a store with another prefix. On a dev server, things also go wrong (support/model-faults.js): it is slow, it refuses,
// its answers are lost.
//
// MODEL_RUNS=20000 runs that many histories, a third of them with troubles. A history that fails prints a seed and a path:
// MODEL_SEED=1 MODEL_PATH=2:1 runs that one again.

const crypto = require('node:crypto')
const fc = require('fast-check')
const { DevServer } = require('../../exports/dev-server')
const { AerospikeStore, SessionStore } = require('../..')
const { TTL, histories, run } = require('../support/history')
const { OfficialClient } = require('../support/official-client')
const { nodeReason } = require('../support/official')
const { freshSet, hasNoTtlNamespace, hosts, openSessions, openStore } = require('../support/server')
const { OtherProcess, keyOf, ownerOf } = require('../support/other-writers')

const RUNS = Number(process.env.MODEL_RUNS ?? 3_000)
/** Milliseconds: as short as a machine under load allows, since much waits for its end. */
const TIMEOUT = 300
/** Histories on their way at the same time: most of the time each waits for the server. */
const PARALLEL_HISTORIES = { calm: 8, faulty: 24 }
const LIMIT = 60_000 + RUNS * 400

const SECRET = 'a secret of more than 16 bytes'
const encryptionKeys = [crypto.randomBytes(32).toString('base64')]

/** What is opened for a test, and closed after it, the last first. @type {(() => any)[]} */
const opened = []
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
})

const officialReason = nodeReason()

/** The strangers of a set, as far as there are any for these options. */
async function strangers (options, where, closing) {
  const { conflict, touchAfter, touchOnRead, user, ...own } = options
  const official = officialReason === undefined ? await OfficialClient.connect(where.hosts) : undefined
  const otherProcess = await OtherProcess.start({ ...options, ...where, ttl: TTL, user: user !== undefined })
  opened.push(() => otherProcess.close(), () => official?.close())
  const recipe = closing(SessionStore, openSessions, { ...own, ...where, ttl: TTL })
  return { official, otherProcess, recipe, intruder: intruder(options, where, closing) }
}

/** A store whose prefix is the beginning of a key of this set. */
function intruder ({ prefix = '', hashIds, namespace, format }, where, closing) {
  if (hashIds !== undefined) return undefined
  const [mine, rest] = prefix === '' ? ['s', sid => sid.slice(1)] : [prefix.slice(0, -1), sid => `:${sid}`]
  const other = { prefix: mine, ...(namespace && { namespace }), ...(format && { format }) }
  return { store: closing(AerospikeStore, openStore, { ...where, ...other, ttl: TTL, timeout: 5_000 }), idFor: rest }
}

/** Opens what a set of options needs; runs histories; fails with the first that does not go as the model says. */
async function go (options, share, kind, where, closing) {
  const all = { ...options, ...where, ttl: TTL }
  const stores = Array.from({ length: 3 }, () => closing(AerospikeStore, openStore, all))
  const cast = { stores, ...await strangers(options, where, closing) }
  if (kind === 'faulty') cast.server = where.server
  const gone = new Map()
  for (const store of stores) store.on('gone', ({ digest }) => gone.set(digest, (gone.get(digest) ?? 0) + 1))
  for (const store of [...stores, cast.recipe, ...(cast.intruder ? [cast.intruder.store] : [])]) store.on('warning', () => {})
  const goneOf = async sid => {
    const digest = crypto.createHash('ripemd160').update(`${where.set}\u0003${keyOf(options, sid)}`).digest('hex')
    const others = (await cast.otherProcess.gone()).filter(other => other === digest).length
    return (gone.get(digest) ?? 0) + others
  }
  const property = fc.asyncProperty(histories(kind === 'faulty'), history => run(history, cast, options, where.set, goneOf))
  const { MODEL_SEED, MODEL_PATH: path } = process.env
  const seed = Number(MODEL_SEED ?? Date.now() % 1_000_000_000)
  const lanes = path === undefined ? PARALLEL_HISTORIES[kind] : 1
  const settled = await Promise.allSettled(Array.from({ length: lanes }, (_, n) => fc.assert(property, {
    numRuns: path === undefined ? Math.ceil(RUNS * share / lanes) : 1, seed: seed + n, path, endOnFailure: path !== undefined, interruptAfterTimeLimit: LIMIT
  })))
  const failed = settled.find(({ status }) => status === 'rejected')
  if (failed === undefined) return
  const [, failedSeed, failedPath] = /seed: (-?\d+), path: "([^"]*)"/.exec(failed.reason.message) ?? []
  const again = `MODEL_SEED=${failedSeed} MODEL_PATH=${failedPath} npx jest model -t '${expect.getState().currentTestName}'`
  throw new Error(`${failed.reason.message}\n\nThe same again: ${again}`, { cause: failed.reason })
}

// Each option with each format at least once, and most of them with each other.
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
  [0.05, { format: 'map', touchOnRead: 80 }],
  [0.05, { format: 'json', touchOnRead: 80, tombstones: true, prefix: 'shop:' }],
  [0.05, { encryptionKeys, touchOnRead: 50, user: ownerOf, storeIds: true }],
  [0.05, { namespace: 'nottl', format: 'map', tombstones: true, absoluteTtl: 86_400 }],
  [0.05, { namespace: 'nottl', format: 'json', prefix: 'shop:', touchAfter: 120 }],
  [0.05, { namespace: 'nottl', encryptionKeys, hashIds: SECRET }]
])('random histories, %d of all,', (share, options) => {
  const named = Object.entries(options).map(([name, value]) => ['encryptionKeys', 'hashIds', 'user'].includes(name) ? name : `${name} ${value}`)
  const isThere = async () => options.namespace === undefined || await hasNoTtlNamespace()

  test(`go as the model says with ${named.join(', ')}`, async () => {
    if (!await isThere()) return console.warn('not run: the cluster has no namespace nottl')
    const where = { hosts: hosts(), set: freshSet() }
    // openStore removes, after all tests, what was written.
    await go(options, share, 'calm', where, (_, open, options) => open(options))
  }, LIMIT + 60_000)

  // Only a dev server can be broken.
  const faulty = process.env.AEROSPIKE_HOSTS === undefined ? test : test.skip
  faulty(`go as the model says when things go wrong, with ${named.join(', ')}`, async () => {
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
