'use strict'

// The tables and targets for everyday load.

const { PEERS } = require('../peers')
const { MIXES, markdown, ratios, short } = require('../table')
const { OURS } = require('../target')

/** True for the stores whose threads belong to this package. */
const isOurs = (/** @type {string} */ store) => OURS.some(ours => store === ours || store === onRead(ours))
const onRead = (/** @type {string} */ store) => `${store}-on-read`

/** @param {import('../clocks').Used} used */
function allSwitches ({ jsSwitches, requestSwitches, tendSwitches, otherSwitches }) {
  return jsSwitches + requestSwitches + tendSwitches + otherSwitches
}

/** @param {import('./index').PacedRow} row */
function siteTable ({ rate, page, stores }) {
  const lines = Object.entries(stores).map(([store, one]) => [
    PEERS[store].title, short(one.perSecond), short(one.cpuUs), short(one.aboveUs), short(one.jsUs), short(allSwitches(one)),
    one.p50.toFixed(2), one.p99.toFixed(2), one.longest.toFixed(1)
  ])
  const head = ['store', 'pages/s', 'CPU us', 'above MemoryStore', 'JS us', 'switches', 'p50 ms', 'p99 ms', 'longest ms']
  return `**Express at ${rate} pages per second, a page that ${page}s the session, 8 connections**\n\n${markdown([head, ...lines])}`
}

/** @param {import('../stores').Row} row */
function operationsTable ({ size, mix, depth, stores }) {
  const lines = Object.entries(stores).map(([store, one]) => [
    PEERS[store].title, short(one.throughput), ratios(stores, one, ({ throughput }) => throughput), short(one.p50), ratios(stores, one, ({ p50 }) => p50),
    short(one.cpuUs), ratios(stores, one, ({ cpuUs }) => cpuUs), short(one.jsUs), short(one.p99)
  ])
  const head = ['store', 'ops/s', 'to M / R / O', 'p50 us', 'to M / R / O', 'CPU us', 'to M / R / O', 'JS us', 'p99 us']
  return `**Everyday, ${size} kB, ${MIXES[mix]}, ${depth} in flight**\n\n${markdown([head, ...lines])}`
}

/** @param {import('../stores').Row[]} operations */
function switchesTable (operations) {
  const rows = operations.filter(({ size, mix }) => size === 0.5 && mix === 'read')
  const lines = rows.flatMap(({ depth, stores }) => Object.entries(stores).filter(([store]) => isOurs(store)).map(([store, one]) => [
    PEERS[store].title, String(depth), one.jsSwitches, one.requestSwitches, one.tendSwitches, one.otherSwitches, allSwitches(one)
  ].map(cell => typeof cell === 'number' ? cell.toFixed(3) : cell)))
  if (lines.length === 0 || lines[0].includes('NaN')) return []
  const head = ['store', 'in flight', 'JavaScript', 'request', 'tend', 'others', 'all']
  return [`**Voluntary context switches per get, by thread, 0.5 kB**\n\n${markdown([head, ...lines])}`]
}

/** @param {import('./index').Everyday} everyday */
function tables ({ site, operations }) {
  return [...site.map(siteTable), ...operations.map(operationsTable), ...switchesTable(operations)]
}

/**
 * @param {import('./index').Everyday} everyday
 * @returns {import('../target').Target[]}
 */
function targets ({ site, operations }) {
  return OURS.flatMap(store => [...ofOperations(operations, store), ...ofSite(site, store)])
}

/**
 * Targets for a get of 0.5 kB.
 *
 * @param {import('../stores').Row[]} operations
 * @param {string} store
 * @returns {import('../target').Target[]}
 */
function ofOperations (operations, store) {
  /**
   * @param {number[]} depths
   * @param {'p50' | 'cpuUs' | 'jsUs' | 'throughput'} figure
   * @param {Record<string, number>} bounds by peer
   * @returns {import('../target').Target[]}
   */
  const toPeers = (depths, figure, bounds) => operations
    .filter(({ size, mix, depth }) => size === 0.5 && mix === 'read' && depths.includes(depth))
    .flatMap(({ depth, stores }) => Object.entries(bounds).map(([peer, bound]) => ({
      name: `${PEERS[store].title}: ${NAMES[figure]} to ${PEERS[peer].title}, everyday get, ${depth} in flight`,
      measured: (stores[store]?.[figure] ?? NaN) / (stores[peer]?.[figure] ?? NaN),
      bound,
      kind: figure === 'throughput' ? 'least' : 'most'
    })))
  return [
    ...toPeers([1, 4], 'p50', { redis: 1 }),
    ...toPeers([1, 4], 'cpuUs', { redis: 1 }),
    ...toPeers([16], 'throughput', { redis: 1.3, official: 1.3 }),
    ...toPeers([64, 256], 'cpuUs', { redis: 0.7, official: 0.7 }),
    ...toPeers([64, 256], 'jsUs', { memory: 1.3 })
  ]
}

const NAMES = { p50: 'p50', cpuUs: 'process CPU', jsUs: 'JS time', throughput: 'throughput' }

/**
 * Pages that read are measured with `touchOnRead`: then they are one operation.
 *
 * @param {import('./index').PacedRow[]} site
 * @param {string} store
 * @returns {import('../target').Target[]}
 */
function ofSite (site, store) {
  return site.filter(({ rate }) => rate === 1_000).flatMap(({ page, stores }) => {
    const ours = page === 'read' ? onRead(store) : store
    const [measured, redis] = [stores[ours], stores.redis]
    const what = `at 1,000 pages per second that ${page}`
    return [
      {
        name: `${PEERS[ours].title}: CPU of a page above MemoryStore's, us, ${what} (${page === 'read' ? 1 : 1.5} x connect-redis)`,
        measured: measured?.aboveUs ?? NaN,
        bound: (redis?.aboveUs ?? NaN) * (page === 'read' ? 1 : 1.5),
        kind: /** @type {const} */ ('most')
      },
      {
        name: `${PEERS[ours].title}: p99 to connect-redis ${what}`,
        measured: (measured?.p99 ?? NaN) / (redis?.p99 ?? NaN),
        bound: 1,
        kind: /** @type {const} */ ('most')
      }
    ]
  })
}

module.exports = { tables, targets }
