'use strict'

// The tables and targets for the stores called directly.

const { PEERS } = require('../peers')
const { MIXES, markdown, ratios, short } = require('../table')
const { OURS } = require('../target')

/** @param {import('./index').Row} row */
function storesTable ({ size, mix, depth, stores, limit, bareJsonUs }) {
  const lines = Object.entries(stores).map(([store, one]) => [
    PEERS[store].title,
    short(one.throughput), ratios(stores, one, ({ throughput }) => throughput),
    limit ? `${(one.throughput / Math.max(limit.single.throughput, limit.batched.throughput) * 100).toFixed(0)} %` : '-',
    short(one.jsUs), ratios(stores, one, ({ jsUs }) => jsUs), short(one.loopUs), short(one.cpuUs),
    short(one.p50), short(one.p99), short(one.p999), (one.rss / 2 ** 20).toFixed(0)
  ])
  for (const [how, one] of Object.entries(limit ?? {})) {
    lines.push([`bare Rust, ${how}`, short(one.throughput), ratios(stores, one, ({ throughput }) => throughput), '', '', '', '', short(one.cpuUs), short(one.p50), short(one.p99), short(one.p999), ''])
  }
  const head = ['store', 'ops/s', 'to M / R / O', 'of limit', 'JS us', 'to M / R / O', 'loop us', 'CPU us', 'p50 us', 'p99 us', 'p99.9 us', 'RSS MB']
  const title = `**${size} kB, ${MIXES[mix]}, ${depth} in flight** (bare JSON: ${short(bareJsonUs)} us)`
  return `${title}\n\n${markdown([head, ...lines])}`
}

/** @param {import('./index').Row[]} rows */
function tables (rows) {
  return rows.map(storesTable)
}

/**
 * @param {import('./index').Row[]} rows
 * @returns {import('../target').Target[]}
 */
function targets (rows) {
  return OURS.flatMap(store => [...atOne(rows, store), ...inParallel(rows, store), ...flat(rows, store), ...large(rows, store)])
}

/**
 * @param {import('./index').Row[]} rows
 * @param {number} depth
 * @param {number} [size]
 */
function rowsAt (rows, depth, size = 0.5) {
  return rows.filter(row => row.depth === depth && row.size === size)
}

/**
 * @param {import('./index').Row[]} rows
 * @param {string} store
 * @returns {import('../target').Target[]}
 */
function atOne (rows, store) {
  return rowsAt(rows, 1).flatMap(({ mix, stores }) => ['redis', 'official'].flatMap(peer =>
    /** @type {const} */ (['p50', 'p99']).map(quantile => ({
      name: `${PEERS[store].title}: ${quantile} to ${PEERS[peer].title}, 1 in flight, ${mix}`,
      measured: (stores[store]?.[quantile] ?? NaN) / (stores[peer]?.[quantile] ?? NaN),
      bound: 1,
      kind: /** @type {const} */ ('most')
    }))))
}

/**
 * @param {import('./index').Row[]} rows
 * @param {string} store
 * @returns {import('../target').Target[]}
 */
function inParallel (rows, store) {
  const jsTime = rowsAt(rows, 64).flatMap(({ mix, stores }) =>
    Object.entries({ memory: 1.3, redis: 1 / 4, official: 1 / 8 }).map(([peer, bound]) => ({
      name: `${PEERS[store].title}: JS time to ${PEERS[peer].title}, 64 in flight, ${mix}`,
      measured: (stores[store]?.jsUs ?? NaN) / (stores[peer]?.jsUs ?? NaN),
      bound,
      kind: /** @type {const} */ ('most')
    })))
  const bounds = store === 'map' ? { redis: 3, official: 6 } : { redis: 4, official: 8 }
  const throughput = [64, 256].flatMap(depth => rowsAt(rows, depth).flatMap(({ mix, stores }) =>
    Object.entries(bounds).map(([peer, bound]) => ({
      name: `${PEERS[store].title}: throughput to ${PEERS[peer].title}, ${depth} in flight, ${mix}`,
      measured: (stores[store]?.throughput ?? NaN) / (stores[peer]?.throughput ?? NaN),
      bound,
      kind: /** @type {const} */ ('least')
    }))))
  return [...jsTime, ...throughput]
}

/**
 * @param {import('./index').Row[]} rows
 * @param {string} store
 * @returns {import('../target').Target[]}
 */
function flat (rows, store) {
  return rowsAt(rows, 256).map(({ mix, stores }) => {
    const few = rowsAt(rows, 16).find(row => row.mix === mix)
    return {
      name: `${PEERS[store].title}: process CPU at 256 to that at 16 in flight, ${mix}`,
      measured: (stores[store]?.cpuUs ?? NaN) / (few?.stores[store]?.cpuUs ?? NaN),
      bound: 1,
      kind: 'most'
    }
  })
}

/**
 * @param {import('./index').Row[]} rows
 * @param {string} store
 * @returns {import('../target').Target[]}
 */
function large (rows, store) {
  return rowsAt(rows, 64, 4).map(({ mix, stores, bareJsonUs }) => ({
    name: `${PEERS[store].title}: JS time of 4 kB sessions, us, 64 in flight, ${mix} (1.3 x bare JSON + 5)`,
    measured: stores[store]?.jsUs ?? NaN,
    bound: bareJsonUs * 1.3 + 5,
    kind: 'most'
  }))
}

module.exports = { tables, targets }
