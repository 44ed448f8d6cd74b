'use strict'

// A cache: Keyv on this package and on Redis, in processes of their own that take turns.

const { Child } = require('../child')
const { mediansOfEach } = require('../medians')
const { inRounds } = require('../rounds')

/** @typedef {{ perSecond: number, p50: number, p99: number, jsUs: number, cpuUs: number }} Load calls per second; latencies and times in microseconds per call */
/** @typedef {{ title: string, bytes: number, depth: number, stores: Record<string, Load> }} CacheRow */

/** The measured calls: their name, the calls in flight, and how they are titled. */
const CALLS = [
  { call: 'getMany', depth: 1, title: 'getMany of 100' },
  { call: 'getMany', depth: 8, title: 'getMany of 100' },
  { call: 'set', depth: 1, title: 'set' },
  { call: 'set', depth: 64, title: 'set' },
  { call: 'get', depth: 1, title: 'get' },
  { call: 'get', depth: 64, title: 'get' }
]
/** Bytes of a value. */
const BYTES = 450

/**
 * @param {import('../options').Options} options
 * @param {import('../peers').Places} places
 * @param {import('../parts').Progress} progress
 * @returns {Promise<CacheRow[]>}
 */
async function measure ({ rounds, seconds }, { hosts, redis, set }, progress) {
  const stores = redis === '' ? ['keyv'] : ['keyv', 'keyv-redis']
  const children = Object.fromEntries(stores.map(store => [store, new Child('cache/process.js', [store])]))
  try {
    for (const store of stores) await children[store].ask('open', { hosts, redis, set: `${set}-cache`, bytes: BYTES })
    const rows = []
    for (const { call, depth, title } of CALLS) {
      const measured = await inRounds(stores, rounds, (store, round) => {
        progress(`${title}, ${depth} in flight, round ${round}`)
        return children[store].ask('load', { call, depth, seconds })
      })
      rows.push({ title, bytes: BYTES, depth, stores: /** @type {Record<string, Load>} */ (mediansOfEach(measured)) })
    }
    for (const store of stores) await children[store].ask('close')
    return rows
  } finally {
    for (const child of Object.values(children)) await child.end()
  }
}

module.exports = { measure, ...require('./report') }
