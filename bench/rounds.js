'use strict'

// Rounds in which every store has its turn, so that what disturbs the machine disturbs all.

/**
 * Measures each store `rounds` times. A round before the first is measured too but does not count: it compiles and connects.
 * Each round starts with another store.
 *
 * @template T
 * @param {string[]} stores
 * @param {number} rounds
 * @param {(store: string, round: number) => Promise<T>} measure round 0 is the one that does not count
 * @returns {Promise<Record<string, T[]>>} the rounds of each store, in order
 */
async function inRounds (stores, rounds, measure) {
  const measured = Object.fromEntries(stores.map(store => [store, /** @type {T[]} */ ([])]))
  for (let round = 0; round <= rounds; round++) {
    for (let turn = 0; turn < stores.length; turn++) {
      const store = stores[(turn + round) % stores.length]
      const one = await measure(store, round)
      if (round > 0) measured[store].push(one)
    }
  }
  return measured
}

module.exports = { inRounds }
