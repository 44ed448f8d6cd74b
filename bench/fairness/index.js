'use strict'

// Fairness: how long a small read takes while the same store runs something large.

const { Child } = require('../child')
const { medians } = require('../medians')
const { inRounds } = require('../rounds')
const { OURS } = require('../target')
const { BESIDE } = require('./beside')

/**
 * @typedef {{ gets: number, p50: number, p99: number, longest: number, loopP99: number, loopLongest: number,
 * runs: number, took: number }} Beside latencies of the small gets, delays of the event loop, and the time of the large operation, in
 * milliseconds; `runs`: how often it was run
 * @typedef {{ store: string, beside: string, title: string, measured: Beside, longestOfAll: number }} FairnessRow
 */

const SESSIONS = 150_000

/**
 * @param {import('../options').Options} options
 * @param {import('../peers').Places} places
 * @param {import('../parts').Progress} progress
 * @returns {Promise<FairnessRow[]>}
 */
async function measure ({ stores, rounds, pageSeconds: seconds }, places, progress) {
  /** @type {FairnessRow[]} */
  const rows = []
  for (const store of stores.filter(store => OURS.includes(store))) {
    const child = new Child('fairness/process.js', [store])
    try {
      progress(`fairness, ${store}: storing ${SESSIONS} sessions`)
      await child.ask('open', { store, ...places, set: `${places.set}-fair-${store}`, sessions: SESSIONS })
      for (const [beside, { title }] of Object.entries(BESIDE)) {
        await child.ask('prepare', { beside })
        const { [beside]: measured } = await inRounds([beside], rounds, (_, round) => {
          progress(`fairness, ${store} beside ${title}: ${round === 0 ? 'warming up' : `round ${round} of ${rounds}`}`)
          return child.ask('measure', { beside, seconds: round === 0 ? 0.5 : seconds })
        })
        await child.ask('remove', { beside })
        const longestOfAll = Math.max(...measured.map(({ longest }) => longest))
        rows.push({ store, beside, title, measured: medians(measured), longestOfAll })
      }
      progress(`fairness, ${store}: removing the sessions`)
      await child.ask('close', { clear: true })
    } finally {
      await child.end()
    }
  }
  return rows
}

module.exports = { measure, ...require('./report') }
