'use strict'

// The load: a number of concurrent visitors of a site, each of whom reads a session and may change or extend it.

const { performance } = require('node:perf_hooks')
const { readClocks, usedSince } = require('../clocks')
const { quantiles } = require('../medians')
const { change, prolong } = require('../session')

/**
 * @typedef {'read' | 'write' | 'touch'} Mix a get; a get and a set; a get and a touch
 * @typedef {import('../clocks').Used & { ops: number, throughput: number, p50: number, p99: number, p999: number }} Measured
 *   throughput in operations per second, latencies in microseconds
 */

/** The last million durations. Allocated once, so that a measurement leaves no garbage behind. */
const durations = new Float64Array(1 << 20)

/**
 * Runs `depth` visitors in parallel until the time is up.
 *
 * @param {import('express-session').Store} store
 * @param {{ ids: string[], depth: number, mix: Mix, seconds: number, operations?: number }} load ends after this many
 * seconds, or operations if they are given
 * @returns {Promise<Measured>}
 */
function measure (store, { ids, depth, mix, seconds, operations = Infinity }) {
  const touch = /** @type {NonNullable<typeof store.touch>} */ (store.touch).bind(store)
  let count = 0
  const add = (/** @type {number} */ duration) => { durations[count++ % durations.length] = duration }
  const clocks = readClocks()
  const started = performance.now()
  const end = started + seconds * 1_000
  let next = 0
  let inside = depth
  return new Promise((resolve, reject) => {
    const leave = () => {
      if (--inside > 0) return
      const took = performance.now() - started
      const used = usedSince(clocks, count)
      const [p50, p99, p999] = quantiles(durations.subarray(0, Math.min(count, durations.length)), [0.5, 0.99, 0.999]).map(ms => ms * 1_000)
      resolve({ ops: count, throughput: count / took * 1_000, p50, p99, p999, ...used })
    }
    const visit = () => {
      const begun = performance.now()
      if (begun >= end || count >= operations) return leave()
      // In turn, so that no two visitors have the same session.
      const id = ids[next++ % ids.length]
      store.get(id, (error, session) => {
        if (error || !session) return reject(error ?? new Error(`session ${id} is gone`))
        const got = performance.now()
        add(got - begun)
        if (mix === 'read') return visit()
        const done = (/** @type {any} */ error) => {
          if (error) return reject(error)
          add(performance.now() - got)
          visit()
        }
        if (mix === 'write') {
          change(session)
          store.set(id, session, done)
        } else {
          prolong(session)
          touch(id, session, /** @type {() => void} */ (done))
        }
      })
    }
    for (let n = 0; n < depth; n++) visit()
  })
}

/**
 * Stores a session under each id.
 *
 * @param {import('express-session').Store} store
 * @param {string[]} ids
 * @param {() => any} makeSession
 * @param {number} [depth] operations in flight
 */
async function fill (store, ids, makeSession, depth = 64) {
  let next = 0
  const set = (/** @type {string} */ id) => new Promise((resolve, reject) => {
    store.set(id, makeSession(), error => error ? reject(error) : resolve(undefined))
  })
  await Promise.all(Array.from({ length: depth }, async () => {
    while (next < ids.length) await set(ids[next++])
  }))
}

module.exports = { fill, measure }
