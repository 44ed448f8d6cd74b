'use strict'

// Checks how close the nodes are to the limits at which they stop writes. The limits are those of eval_stop_writes() in the
// server's as/src/base/nsup.c, of server 7.0 and later, and of 6.x.

const { bytes, named, number, setting } = require('../finding')

/** A limit is close from this share of it on. */
const CLOSE = 0.8

/** @typedef {import('./namespace').Holder} Holder */
/** @typedef {{ share: number, words: string }} Limit share: used share of the limit; 1 or more if it is reached */

/**
 * @param {import('../finding').Findings} found
 * @param {Holder[]} holders
 * @param {string} name of the namespace
 */
function capacity (found, holders, name) {
  const stopped = holders.filter(({ namespace }) => namespace.stop_writes === 'true')
  if (stopped.length > 0) {
    const why = [...new Set(stopped.flatMap(node => limits(node).filter(({ share }) => share >= 1)).map(({ words }) => words))]
    found.add('problem', 'STOP_WRITES', `${named(stopped)} takes no writes (stop_writes)${why.length > 0 ? `: ${why.join(', ')}` : ''}. No session can be ` +
      'saved or extended there', 'add storage, memory or nodes; remove what is not needed; or shorten the sessions. Reads and logouts still work')
  }
  const skewed = holders.filter(({ namespace }) => namespace.clock_skew_stop_writes === 'true')
  if (skewed.length > 0) {
    found.add('problem', 'CLOCK_STOPS_WRITES', `${named(skewed)} takes no writes: the clocks of the nodes are too far apart (clock_skew_stop_writes)`,
      'set the clocks of all nodes by NTP')
  }
  const closed = holders.filter(({ namespace }) => namespace['reject-non-xdr-writes'] === 'true')
  if (closed.length > 0) {
    found.add('problem', 'WRITES_REJECTED', `${named(closed)} takes no writes of applications (reject-non-xdr-writes)`, setting(name, 'reject-non-xdr-writes=false'))
  }
  if (stopped.length + skewed.length + closed.length > 0) return
  const [fullest] = holders.flatMap(limits).sort((a, b) => b.share - a.share)
  if (fullest?.share >= CLOSE) {
    found.add('warning', 'ALMOST_FULL', `writes will stop soon: ${fullest.words}`, 'add storage, memory or nodes, or shorten the sessions')
  } else {
    found.ok('ROOM', `there is room${used(holders)}${fullest === undefined ? '' : `; closest to a limit: ${fullest.words}`}`)
  }
}

/** @param {Holder[]} holders */
function used (holders) {
  const sum = (/** @type {string} */ name) => holders.reduce((sum, { namespace }) => sum + (number(namespace, name) ?? 0), 0)
  const total = sum('data_total_bytes')
  return total === 0 ? '' : `: ${bytes(sum('data_used_bytes'))} of ${bytes(total)} used`
}

/**
 * Returns all limits of a node that stop writes.
 *
 * @param {Holder} node
 * @returns {Limit[]}
 */
function limits ({ namespace, set, statistics }) {
  const of = (/** @type {string} */ name) => number(namespace, name) ?? 0
  /** @type {Limit[]} */
  const limits = []
  const add = (/** @type {number | undefined} */ is, /** @type {number | undefined} */ limit, /** @type {string} */ words) => {
    if (is !== undefined && limit !== undefined && limit > 0) limits.push({ share: is / limit, words })
  }
  const limit = of('storage-engine.stop-writes-used-pct')
  const data = number(namespace, 'data_used_pct')
  add(data, limit, `${data} % of the storage used, of ${limit} % (stop-writes-used-pct)`)
  const least = of('storage-engine.stop-writes-avail-pct')
  const available = number(namespace, 'data_avail_pct')
  if (least > 0 && available !== undefined) {
    add(100 - available, 100 - least, `${available} % of the storage free to write to, at least ${least} % (stop-writes-avail-pct)`)
  }
  olderLimits(namespace, add)
  const indexes = number(namespace, 'indexes_memory_used_pct')
  add(indexes, 100, `${indexes} % of the memory for indexes used (indexes-memory-budget)`)
  // A server that does not know its memory reports 0 for both.
  const memory = (number(statistics, 'system_free_mem_kbytes') ?? 0) > 0 ? 100 - (number(statistics, 'system_free_mem_pct') ?? 100) : undefined
  const most = of('stop-writes-sys-memory-pct')
  add(memory, most, `${memory} % of the machine's memory used, of ${most} % (stop-writes-sys-memory-pct)`)
  for (const [name, what, show] of /** @type {const} */ ([['count', 'objects', String], ['size', 'data_used_bytes', bytes]])) {
    const is = number(set, what)
    const most = number(set, `stop-writes-${name}`)
    add(is, most, `${show(is ?? 0)} in the set, of ${show(most ?? 0)} (stop-writes-${name})`)
  }
  return limits
}

/**
 * Adds the limits that server 6.x has in place of those above. There, memory holds the data, too.
 *
 * @param {import('../facts').Values} namespace
 * @param {(is: number | undefined, limit: number | undefined, words: string) => void} add
 */
function olderLimits (namespace, add) {
  const of = (/** @type {string} */ name) => number(namespace, name)
  const size = of('memory-size') ?? 0
  const memory = of('memory_used_bytes')
  const most = of('stop-writes-pct')
  if (size > 0 && memory !== undefined) {
    const percent = Math.floor(memory * 100 / size)
    add(percent, most, `${percent} % of the namespace's memory used, of ${most} % (stop-writes-pct)`)
  }
  for (const device of ['device', 'pmem']) {
    const free = of(`${device}_free_pct`)
    const maxUsed = of('storage-engine.max-used-pct')
    if (free !== undefined) add(100 - free, maxUsed, `${100 - free} % of the storage used, of ${maxUsed} % (max-used-pct)`)
    const available = of(`${device}_available_pct`)
    const least = of('storage-engine.min-avail-pct') ?? 0
    if (available !== undefined && least > 0) {
      add(100 - available, 100 - least, `${available} % of the storage free to write to, at least ${least} % (min-avail-pct)`)
    }
  }
}

module.exports = { capacity }
