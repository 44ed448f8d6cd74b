'use strict'

// Memory over a long run: the memory of this store's process after a tenth of the operations, and after all of them.

const { Child } = require('../child')
const { OURS } = require('../target')

/**
 * @typedef {{ store: string, early: { operations: number, rss: number }, late: { operations: number, rss: number } }} Soaked
 */

/** Operations per request to the process, so that progress can be reported. */
const STEP = 100_000

/**
 * @param {import('../options').Options} options
 * @param {import('../peers').Places} places
 * @param {import('../parts').Progress} progress
 * @returns {Promise<Soaked[]>}
 */
async function measure (options, places, progress) {
  const soaked = []
  for (const store of options.stores.filter(store => OURS.includes(store))) {
    const child = new Child('stores/process.js', [store])
    try {
      await child.ask('open', { store, ...places, set: `${places.set}-soak-${store}` })
      await child.ask('fill', { size: 0.5 })
      let operations = 0
      let early
      let rss = 0
      while (operations < options.soak) {
        progress(`soaking ${store}: ${Math.floor(operations / 1_000)}k of ${Math.floor(options.soak / 1_000)}k operations`)
        const load = { size: 0.5, mix: 'write', depth: 64, seconds: 600, operations: Math.min(STEP, options.soak - operations) }
        const measured = await child.ask('measure', load)
        operations += measured.ops
        rss = measured.rss
        if (early === undefined && operations >= options.soak / 10) early = { operations, rss }
      }
      await child.ask('close', { clear: true })
      soaked.push({ store, early: early ?? { operations, rss }, late: { operations, rss } })
    } finally {
      await child.end()
    }
  }
  return soaked
}

module.exports = { measure, ...require('./report') }
