'use strict'

// What was measured, as tables in Markdown.

const { PEERS } = require('./peers')

/**
 * @typedef {{ machine: string[], rows: import('./rounds').Row[], pages: import('./pages').PageRow[], soaked: import('./soak').Soaked[] }} Results
 */

const MIXES = { read: 'reads only', write: 'half reads, half writes', touch: 'reads, each with a touch' }
/** Whom a store is compared with. */
const AGAINST = /** @type {const} */ (['memory', 'redis', 'official'])

/** @param {number} number */
function short (number) {
  if (!Number.isFinite(number)) return '-'
  if (number >= 10_000) return `${(number / 1_000).toFixed(0)}k`
  if (number >= 1_000) return `${(number / 1_000).toFixed(1)}k`
  return number >= 100 ? number.toFixed(0) : number >= 10 ? number.toFixed(1) : number.toFixed(2)
}

/** @param {string[][]} lines the first is the head */
function markdown ([head, ...lines]) {
  const widths = head.map((_, column) => Math.max(...[head, ...lines].map(line => line[column].length)))
  const row = (/** @type {string[]} */ line) => `| ${line.map((cell, column) => column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column])).join(' | ')} |`
  const rule = `|${widths.map((width, column) => column === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`).join('|')}|`
  return [row(head), rule, ...lines.map(row)].join('\n')
}

/**
 * How many times as much as each peer: `1.1 / 0.3 / 0.1`.
 *
 * @template T
 * @param {Record<string, T>} stores
 * @param {T} measured
 * @param {(measured: T) => number} figure
 */
function ratios (stores, measured, figure) {
  return AGAINST.map(peer => stores[peer] === undefined ? '-' : (figure(measured) / figure(stores[peer])).toFixed(2)).join(' / ')
}

/** @param {import('./rounds').Row} row */
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

/** @param {import('./pages').PageRow} row */
function pagesTable ({ page, stores }) {
  const lines = Object.entries(stores).map(([store, one]) => [
    PEERS[store].title, short(one.perSecond), ratios(stores, one, ({ perSecond }) => perSecond),
    short(one.jsUs), short(one.cpuUs), `${(one.utilisation * 100).toFixed(0)} %`, String(one.p50), String(one.p99)
  ])
  const head = ['store', 'pages/s', 'to M / R / O', 'JS us', 'CPU us', 'loop busy', 'p50 ms', 'p99 ms']
  return `**Express, a page that ${page}s the session, 64 connections**\n\n${markdown([head, ...lines])}`
}

/** @param {Results} results */
function tables ({ rows, pages, soaked }) {
  const parts = [...rows.map(storesTable), ...pages.map(pagesTable)]
  if (soaked.length > 0) {
    const lines = soaked.flatMap(({ store, early, late }) => [early, late].map(({ operations, rss }) => [PEERS[store].title, String(operations), (rss / 2 ** 20).toFixed(1)]))
    parts.push(markdown([['store', 'operations', 'RSS MB'], ...lines]))
  }
  if (parts.length > 0) {
    parts.push('M / R / O: times the figure of MemoryStore, connect-redis and the official client (JSON). JS us: time of the JavaScript\n' +
      'thread per operation, load loop and JSON included; loop us: the same by event-loop utilisation; CPU us: of the whole process.')
  }
  return parts.join('\n\n')
}

module.exports = { tables }
