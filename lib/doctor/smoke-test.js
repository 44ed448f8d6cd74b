'use strict'

// The smoke test: saves, reads, touches and removes sessions, one after the other.

const crypto = require('node:crypto')
const { isDeepStrictEqual } = require('node:util')
const { elapsed } = require('../clock')
const { failureFacts } = require('./facts')

/** @typedef {import('./facts').Step} Step */

/** Data of a typical session. */
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
  const onWarning = (/** @type {{ code: string }} */ { code }) => { ttlRefused ||= code === 'TTL_REFUSED' }
  sessions.on('warning', onWarning)

  /**
   * Runs a step. A step that has failed once is skipped, because each failure may take a whole timeout.
   *
   * @param {Step} step
   * @param {() => any} run
   * @param {any} expected
   */
  const runStep = async (step, run, expected) => {
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

  // The first round opens connections, so its times are not measured. Its failures count.
  for (; round <= rounds; round++) {
    const id = crypto.randomBytes(16).toString('hex')
    const saved = await runStep('save', () => sessions.save(id, DATA), undefined)
    await runStep('get', () => sessions.get(id), DATA)
    await runStep('touch', () => sessions.touch(id), true)
    const removed = await runStep('delete', () => sessions.delete(id), true)
    if (saved && !removed) left++
    // Without save there is nothing to measure. Without delete, sessions would pile up.
    if (failures.save !== undefined || failures.delete !== undefined) break
  }
  sessions.off('warning', onWarning)
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
