'use strict'

// Watched sessions: the CPU time and the reads that they cost a process that does nothing else.

const { Child } = require('../child')

/**
 * @typedef {{ cpuMs: number, jsMs: number, batches: number, reads: number, ended: number, delayMs: number }} Minute
 *   in one minute: CPU time of the process and of its JavaScript thread, batches, records read; the longest that the event loop was late
 * @typedef {{ count: number, callUs: number, bytes: number, idle: Minute, watching: Minute }} Watched
 */

/** Seconds between two checks: the default of option `watchInterval`. */
const INTERVAL = 5

/**
 * @param {import('../options').Options} options
 * @param {import('../peers').Places} places
 * @param {import('../parts').Progress} progress
 * @returns {Promise<Watched[]>}
 */
async function measure ({ watched, watchSeconds: seconds }, { hosts, set }, progress) {
  const rows = []
  for (const count of watched) {
    const child = new Child('watch/process.js', [])
    const minute = async () => ({ ...await child.ask('measure', { seconds }), delayMs: await child.ask('delay', { seconds: seconds / 2 }) })
    try {
      progress(`${count} watched sessions: storing them`)
      await child.ask('open', { hosts, set: `${set}-watched`, interval: INTERVAL, count })
      progress(`${count} watched sessions: the process without a watch`)
      const idle = await minute()
      progress(`${count} watched sessions`)
      const { callUs, bytes } = await child.ask('watch', { count, interval: INTERVAL })
      const watching = await minute()
      if (watching.ended > 0) throw new Error(`${watching.ended} watches ended, though their sessions have not`)
      rows.push({ count, callUs, bytes, idle, watching })
      await child.ask('close')
    } finally {
      await child.end()
    }
  }
  return rows
}

module.exports = { measure, ...require('./report') }
