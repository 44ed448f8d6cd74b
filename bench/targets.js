'use strict'

// What this store has set itself to reach, and whether it does.

const { PEERS } = require('./peers')

/**
 * @typedef {{ name: string, measured: number, bound: number, kind: 'most' | 'least' }} Target
 */

const OURS = ['map', 'json']

/**
 * @param {import('./table').Results} results
 * @returns {Target[]}
 */
function targets ({ rows, pages, soaked }) {
  return OURS.flatMap(store => [
    ...atOne(rows, store), ...inParallel(rows, store), ...flat(rows, store), ...large(rows, store), ...onPages(pages, store), ...inTheLongRun(soaked, store)
  ]).filter(({ measured }) => Number.isFinite(measured))
}

/**
 * @param {import('./rounds').Row[]} rows
 * @param {number} depth
 * @param {number} [size]
 */
function rowsAt (rows, depth, size = 0.5) {
  return rows.filter(row => row.depth === depth && row.size === size)
}

/**
 * @param {import('./rounds').Row[]} rows
 * @param {string} store
 * @returns {Target[]}
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
 * @param {import('./rounds').Row[]} rows
 * @param {string} store
 * @returns {Target[]}
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
 * @param {import('./rounds').Row[]} rows
 * @param {string} store
 * @returns {Target[]}
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
 * @param {import('./rounds').Row[]} rows
 * @param {string} store
 * @returns {Target[]}
 */
function large (rows, store) {
  return rowsAt(rows, 64, 4).map(({ mix, stores, bareJsonUs }) => ({
    name: `${PEERS[store].title}: JS time of 4 kB sessions, us, 64 in flight, ${mix} (1.3 x bare JSON + 5)`,
    measured: stores[store]?.jsUs ?? NaN,
    bound: bareJsonUs * 1.3 + 5,
    kind: 'most'
  }))
}

/**
 * @param {import('./pages').PageRow[]} pages
 * @param {string} store
 * @returns {Target[]}
 */
function onPages (pages, store) {
  return pages.flatMap(({ page, stores }) => Object.entries({ memory: page === 'read' ? 0.85 : 0.8, redis: 1.3 }).map(([peer, bound]) => ({
    name: `${PEERS[store].title}: pages per second to ${PEERS[peer].title}, ${page}`,
    measured: (stores[store]?.perSecond ?? NaN) / (stores[peer]?.perSecond ?? NaN),
    bound,
    kind: /** @type {const} */ ('least')
  })))
}

/**
 * @param {import('./soak').Soaked[]} soaked
 * @param {string} store
 * @returns {Target[]}
 */
function inTheLongRun (soaked, store) {
  return soaked.filter(one => one.store === store).map(({ early, late }) => ({
    name: `${PEERS[store].title}: growth in MB between ${early.operations} and ${late.operations} operations`,
    measured: (late.rss - early.rss) / 2 ** 20,
    bound: 10,
    kind: 'most'
  }))
}

/** @param {Target} target */
function tell ({ name, measured, bound, kind }) {
  const met = kind === 'most' ? measured <= bound : measured >= bound
  const off = Math.abs(measured / bound - 1) * 100
  const verdict = met ? 'met   ' : 'MISSED'
  return `${verdict} ${name}: ${measured.toFixed(2)}, at ${kind} ${bound.toFixed(2)}${met ? '' : ` (by ${off.toFixed(0)} %)`}`
}

module.exports = { targets, tell }
