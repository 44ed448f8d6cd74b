'use strict'

// The tables for caches.

const { markdown, short } = require('../table')

const TITLES = /** @type {Record<string, string>} */ ({ keyv: 'aerospike-session/keyv', 'keyv-redis': '@keyv/redis' })

/**
 * Returns a figure as a multiple of that of Redis.
 *
 * @param {import('./index').CacheRow} row
 * @param {import('./index').Load} load
 * @param {keyof import('./index').Load} figure
 */
function ratio ({ stores: { 'keyv-redis': redis } }, load, figure) {
  return redis === undefined ? '-' : (load[figure] / redis[figure]).toFixed(2)
}

/** @param {import('./index').CacheRow[]} rows */
function tables (rows) {
  const lines = rows.flatMap(row => Object.entries(row.stores).map(([store, load]) => [
    `${row.title}, ${row.depth} in flight`, TITLES[store], short(load.perSecond), ratio(row, load, 'perSecond'), short(load.p50), ratio(row, load, 'p50'), short(load.p99),
    short(load.jsUs), ratio(row, load, 'jsUs'), short(load.cpuUs), ratio(row, load, 'cpuUs')
  ]))
  const head = ['call', 'cache', 'calls/s', 'to Redis', 'p50 us', 'to Redis', 'p99 us', 'JS us', 'to Redis', 'CPU us', 'to Redis']
  return [`**A cache: Keyv 5 with values of ${rows[0]?.bytes} bytes**\n\n${markdown([head, ...lines])}`]
}

/** @returns {import('../target').Target[]} */
function targets () {
  return []
}

module.exports = { tables, targets }
