'use strict'

// The table for watched sessions.

const { markdown } = require('../table')

/** @param {import('./index').Watched[]} rows */
function tables (rows) {
  const lines = rows.map(({ count, callUs, bytes, idle, watching }) => [
    String(count), (watching.cpuMs - idle.cpuMs).toFixed(0), (watching.jsMs - idle.jsMs).toFixed(0), watching.reads.toFixed(0), watching.batches.toFixed(0),
    idle.delayMs.toFixed(1), watching.delayMs.toFixed(1), callUs.toFixed(1), bytes.toFixed(0)
  ])
  const head = ['watched', 'CPU ms a minute', 'JS ms a minute', 'reads a minute', 'batches a minute', 'late ms, idle', 'late ms, watching', 'us per call', 'bytes each']
  return [`**Watched sessions, checked every 5 seconds. CPU is above that of the same process without a watch**\n\n${markdown([head, ...lines])}`]
}

/** @returns {import('../target').Target[]} */
function targets () {
  return []
}

module.exports = { tables, targets }
