'use strict'

// The tables and targets for fairness.

const { PEERS } = require('../peers')
const { markdown } = require('../table')
const { BESIDE } = require('./beside')

/** Milliseconds, for a get of 0.5 kB. */
const MOST = { p99: 20, longest: 100 }

/** @param {import('./index').FairnessRow[]} rows */
function tables (rows) {
  return [...new Set(rows.map(({ store }) => store))].map(store => {
    const lines = rows.filter(row => row.store === store).map(({ title, measured, longestOfAll }) => [
      title, measured.gets.toFixed(0), measured.p50.toFixed(2), measured.p99.toFixed(1), measured.longest.toFixed(1), longestOfAll.toFixed(1),
      measured.loopP99.toFixed(1), measured.loopLongest.toFixed(1), measured.took.toFixed(0)
    ])
    const head = ['beside', 'gets', 'p50 ms', `p99 ms (at most ${MOST.p99})`, `longest ms (at most ${MOST.longest})`, 'of all rounds', 'loop p99 ms', 'loop longest ms', 'it takes ms']
    return `**Fairness, ${PEERS[store].title}: a get of 0.5 kB every 5 ms**\n\n${markdown([head, ...lines])}`
  })
}

/**
 * @param {import('./index').FairnessRow[]} rows
 * @returns {import('../target').Target[]}
 */
function targets (rows) {
  return rows.filter(({ beside }) => BESIDE[beside].isBounded).flatMap(({ store, title, measured }) => /** @type {const} */ (['p99', 'longest']).map(figure => ({
    name: `${PEERS[store].title}: ${figure} of a small get beside ${title}, ms`,
    measured: measured[figure],
    bound: MOST[figure],
    kind: /** @type {const} */ ('most')
  })))
}

module.exports = { tables, targets }
