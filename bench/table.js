'use strict'

// Helpers for the tables of all parts, which are Markdown.

/** The stores to compare with: M / R / O. */
const AGAINST = /** @type {const} */ (['memory', 'redis', 'official'])
const MIXES = { read: 'reads only', write: 'half reads, half writes', touch: 'reads, each with a touch' }
const LEGEND = 'M / R / O: times the figure of MemoryStore, connect-redis and the official client (JSON). JS us: time of the JavaScript\n' +
  'thread per operation, load loop and JSON included; loop us: the same by event-loop utilisation; CPU us: of the whole process.'

/** @param {number} number */
function short (number) {
  if (!Number.isFinite(number)) return '-'
  const size = Math.abs(number)
  if (size >= 10_000) return `${(number / 1_000).toFixed(0)}k`
  if (size >= 1_000) return `${(number / 1_000).toFixed(1)}k`
  return size >= 100 ? number.toFixed(0) : size >= 10 ? number.toFixed(1) : number.toFixed(2)
}

/** @param {string[][]} lines the first is the header */
function markdown ([head, ...lines]) {
  const widths = head.map((_, column) => Math.max(...[head, ...lines].map(line => line[column].length)))
  const row = (/** @type {string[]} */ line) => `| ${line.map((cell, column) => column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column])).join(' | ')} |`
  const rule = `|${widths.map((width, column) => column === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`).join('|')}|`
  return [row(head), rule, ...lines.map(row)].join('\n')
}

/**
 * Returns the ratios to each peer: `1.1 / 0.3 / 0.1`.
 *
 * @template T
 * @param {Record<string, T>} stores
 * @param {T} measured
 * @param {(measured: T) => number} figure
 */
function ratios (stores, measured, figure) {
  return AGAINST.map(peer => stores[peer] === undefined ? '-' : (figure(measured) / figure(stores[peer])).toFixed(2)).join(' / ')
}

module.exports = { LEGEND, MIXES, markdown, ratios, short }
