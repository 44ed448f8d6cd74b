'use strict'

// The table and targets for memory over a long run.

const { PEERS } = require('../peers')
const { markdown } = require('../table')
const { OURS } = require('../target')

/** @param {import('./index').Soaked[]} soaked */
function tables (soaked) {
  const lines = soaked.flatMap(({ store, early, late }) => [early, late].map(({ operations, rss }) => [PEERS[store].title, String(operations), (rss / 2 ** 20).toFixed(1)]))
  return [markdown([['store', 'operations', 'RSS MB'], ...lines])]
}

/**
 * @param {import('./index').Soaked[]} soaked
 * @returns {import('../target').Target[]}
 */
function targets (soaked) {
  return OURS.flatMap(store => inTheLongRun(soaked, store))
}

/**
 * @param {import('./index').Soaked[]} soaked
 * @param {string} store
 * @returns {import('../target').Target[]}
 */
function inTheLongRun (soaked, store) {
  return soaked.filter(one => one.store === store).map(({ early, late }) => ({
    name: `${PEERS[store].title}: growth in MB between ${early.operations} and ${late.operations} operations`,
    measured: (late.rss - early.rss) / 2 ** 20,
    bound: 10,
    kind: 'most'
  }))
}

module.exports = { tables, targets }
