'use strict'

// Real sessions, saved, read, touched and removed again, one after the other.

const crypto = require('node:crypto')
const { isDeepStrictEqual } = require('node:util')
const { elapsed } = require('../clock')
const { failureFacts } = require('./facts')

/** @typedef {import('./facts').Step} Step */

/** About what an application keeps. */
const DATA = { userId: 'doctor', roles: ['none'], visits: 1, loginTime: 1_700_000_000_000, preferences: { theme: 'dark' } }

/**
 * @param {import('../stores/session-store').SessionStore} sessions
 * @param {number} rounds
 * @returns {Promise<import('./facts').SmokeTest>}
 */
async function smokeTest (sessions, rounds) {
  /** @type {Map<Step, number[]>} */
  const times = new Map()
  /** @type {import('./facts').SmokeTest['failures']} */
  const failures = {}
  const wrong = new Set()
  let ttlRefused = false
  let left = 0
  let round = 0
  const hear = (/** @type {{ code: string }} */ { code }) => { ttlRefused ||= code === 'TTL_REFUSED' }
  sessions.on('warning', hear)

  /**
   * What has failed once is not tried again: it would only take its time again.
   * @param {Step} step
   * @param {() => any} run
   * @param {any} expected
   */
  const go = async (step, run, expected) => {
    if (failures[step] !== undefined) return false
    const began = elapsed()
    try {
      const got = await run()
      const taken = elapsed() - began
      if (round > 0) times.set(step, [...times.get(step) ?? [], taken])
      if (failures.save === undefined && !isDeepStrictEqual(got, expected)) wrong.add(step)
      return true
    } catch (error) {
      failures[step] = failureFacts(error)
      return false
    }
  }

  // The first one counts only if it fails: connections are made for it.
  for (; round <= rounds; round++) {
    const id = crypto.randomBytes(16).toString('hex')
    const saved = await go('save', () => sessions.save(id, DATA), undefined)
    await go('get', () => sessions.get(id), DATA)
    await go('touch', () => sessions.touch(id), true)
    const removed = await go('delete', () => sessions.delete(id), true)
    if (saved && !removed) left++
    // Nothing would take away what is saved, or there is nothing to measure.
    if (failures.save !== undefined || failures.delete !== undefined) break
  }
  sessions.off('warning', hear)
  return {
    times: Object.fromEntries([...times].map(([step, taken]) => [step, percentiles(taken)])),
    failures,
    wrong: [...wrong],
    ttlRefused,
    left
  }
}

/**
 * @param {number[]} taken milliseconds
 * @returns {import('./facts').Times}
 */
function percentiles (taken) {
  const sorted = taken.toSorted((a, b) => a - b)
  const at = (/** @type {number} */ share) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]
  return { count: sorted.length, p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) }
}

module.exports = { percentiles, smokeTest }
