'use strict'

// Rate limits: the hits that each limiter can count.

const { Child } = require('../child')
const { LIMITERS } = require('./limiters')
const { medians } = require('../medians')
const { inRounds } = require('../rounds')

/** The numbers of keys that are hit in turn: addresses of visitors, and one key that all requests share. */
const KEYS = [10_000, 1]

/**
 * @typedef {{ throughput: number, jsUs: number, cpuUs: number, p50: number, p99: number }} Measured
 * @typedef {{ keys: number, depth: number, limiters: Record<string, Measured> }} LimitRow
 */

/**
 * @param {import('../options').Options} options
 * @param {import('../peers').Places} places
 * @param {import('../parts').Progress} progress
 * @returns {Promise<LimitRow[]>}
 */
async function measure (options, places, progress) {
  const names = Object.keys(LIMITERS).filter(name => LIMITERS[name].needs !== 'redis' || places.redis !== '')
  /** @type {Record<string, Child>} */
  const children = {}
  /** @type {LimitRow[]} */
  const rows = []
  try {
    for (const limiter of names) {
      children[limiter] = new Child('limits/process.js', [limiter])
      await children[limiter].ask('open', { limiter, ...places, set: `${places.set}-${limiter}` })
    }
    for (const keys of KEYS) {
      for (const depth of options.depths) {
        const rounds = await inRounds(names, options.rounds, (limiter, round) => {
          progress(`limits, ${keys} keys, ${depth} in flight: ${round === 0 ? 'warming up' : `round ${round} of ${options.rounds}`}`)
          return children[limiter].ask('measure', { keys, depth, seconds: round === 0 ? options.seconds / 2 : options.seconds })
        })
        rows.push({ keys, depth, limiters: Object.fromEntries(names.map(name => [name, medians(rounds[name])])) })
      }
    }
    for (const child of Object.values(children)) await child.ask('close')
  } finally {
    await Promise.all(Object.values(children).map(child => child.end()))
  }
  return rows
}

module.exports = { measure, ...require('./report') }
