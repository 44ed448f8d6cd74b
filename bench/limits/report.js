'use strict'

// The tables for rate limits.

const { LIMITERS } = require('./limiters')
const { markdown, short } = require('../table')

/** @param {import('./index').LimitRow} row */
function table ({ keys, depth, limiters }) {
  const { redis } = limiters
  const ratio = (/** @type {number} */ own, /** @type {number | undefined} */ other) => other === undefined ? '-' : (own / other).toFixed(2)
  const lines = Object.entries(limiters).map(([name, one]) => [
    LIMITERS[name].title, short(one.throughput), ratio(one.throughput, redis?.throughput), short(one.jsUs), ratio(one.jsUs, redis?.jsUs), short(one.cpuUs),
    short(one.p50), ratio(one.p50, redis?.p50), short(one.p99)
  ])
  const head = ['limiter', 'hits/s', 'to redis', 'JS us', 'to redis', 'CPU us', 'p50 us', 'to redis', 'p99 us']
  return `**Rate limits, ${keys === 1 ? 'one key' : `${keys} keys`}, ${depth} in flight**\n\n${markdown([head, ...lines])}`
}

/** @param {import('./index').LimitRow[]} rows */
function tables (rows) {
  return rows.map(table)
}

/** @returns {import('../target').Target[]} */
function targets () {
  return []
}

module.exports = { tables, targets }
