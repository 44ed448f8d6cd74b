'use strict'

// Rounds that measure every store, so that a disturbance of the machine affects all.

/**
 * Measures each store `rounds` times. A warm-up round before the first is not counted: it compiles code and connects. Each
 * round starts with another store.
 *
 * @template T
 * @param {string[]} stores
 * @param {number} rounds
 * @param {(store: string, round: number) => Promise<T>} measure round 0 is the warm-up
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
