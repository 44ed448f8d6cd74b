'use strict'

// Measures whether option `format: 'json'` would be faster: reads sessions of the set's typical size in both formats.

const crypto = require('node:crypto')
const { AerospikeStore } = require('../stores/aerospike-store')
const { elapsed, now } = require('../clock')
const { percentiles } = require('./smoke-test')

/** Sessions of fewer bytes cost about the same in both formats (docs/options.md). */
const WORTH_IT = 2_048
/** Sets with fewer records are not measured, because their average size says little. */
const ENOUGH = 100
/** Bytes of the largest session that is measured. */
const LARGEST = 64 * 1_024
const LIFE = 600_000

/**
 * Returns the average bytes of a session in the set, or undefined if there are too few. The nodes' counts include replicas.
 * @param {import('./facts').NodeFacts[]} nodes
 */
function typicalSize (nodes) {
  const sum = (/** @type {string} */ name) => nodes.reduce((sum, { set }) => sum + Number(set?.[name] ?? 0), 0)
  const copies = sum('objects')
  const size = Math.round(sum('data_used_bytes') / copies)
  const replicas = Math.max(1, ...nodes.map(({ namespace }) => Number(namespace?.effective_replication_factor ?? 1)))
  return copies / replicas >= ENOUGH && Number.isFinite(size) ? size : undefined
}

/**
 * Creates a session of about this size, like one of a shop.
 * @param {number} size
 */
function make (size) {
  const item = (/** @type {number} */ n) => ({ sku: `sku-${n}`, name: 'a thing', price: 20.95, quantity: 1 })
  const count = Math.ceil(Math.min(size, LARGEST) / JSON.stringify(item(100)).length)
  const cookie = { originalMaxAge: LIFE, expires: new Date(now() + LIFE), path: '/' }
  return { cookie, cart: Array.from({ length: count }, (_, n) => item(n)) }
}

/**
 * Reads a session of the typical size in both formats in turn. Returns undefined if sessions are small or if it fails.
 *
 * @param {import('../stores/session-store').SessionStore} sessions
 * @param {import('./facts').NodeFacts[]} nodes
 * @param {number} rounds
 * @returns {Promise<import('./facts').Formats | undefined>}
 */
async function formats (sessions, nodes, rounds) {
  const size = typicalSize(nodes)
  if (size === undefined || size < WORTH_IT) return undefined
  const session = make(size)
  const tried = (/** @type {('map' | 'json')[]} */ (['map', 'json'])).map(format => {
    const store = new AerospikeStore({ client: /** @type {any} */ (sessions), format })
    store.on('warning', () => {})
    return { store, id: crypto.randomBytes(16).toString('hex'), times: /** @type {number[]} */ ([]) }
  })
  try {
    for (const { store, id } of tried) await store.set(id, session)
    // The first two rounds warm up and are not measured.
    for (let round = -2; round < rounds; round++) {
      for (const { store, id, times } of tried) {
        const began = elapsed()
        await store.get(id)
        if (round >= 0) times.push(elapsed() - began)
      }
    }
    const [map, json] = tried.map(({ times }) => percentiles(times).p50)
    return { size, map, json }
  } catch {
    // The smoke test reports why sessions cannot be stored or read.
    return undefined
  } finally {
    await Promise.allSettled(tried.map(({ store, id }) => store.destroy(id)))
    await Promise.allSettled(tried.map(({ store }) => store.close()))
  }
}

module.exports = { formats, typicalSize }
