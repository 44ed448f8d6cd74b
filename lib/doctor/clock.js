'use strict'

// Measures the clock skew between the nodes and this machine. A node reports its time in whole seconds, as `current_time` of
// a namespace. This is the clock that void times are compared with. Each sample gives bounds one second apart; several
// samples narrow them.

const { now, setTimeout } = require('../clock')
const { values } = require('./facts')

/** Seconds: void times count from 2010. */
const CITRUSLEAF_EPOCH = 1_262_304_000
const SAMPLES = 10
/** Milliseconds between two samples. Together they take a second, so that one of them is close to the end of a second. */
const SAMPLE_INTERVAL = 100

/** @typedef {import('./facts').Skew} Skew */

/**
 * @param {(command: string) => any} ask sends an info command to all nodes; returns the core's answer
 * @param {string} namespace
 * @returns {Promise<Skew[]>}
 */
async function skews (ask, namespace) {
  /** @type {Map<string, Skew>} */
  const known = new Map()
  const command = `namespace/${namespace}`
  for (let sample = 0; sample < SAMPLES; sample++) {
    if (sample > 0) await new Promise(resolve => setTimeout(resolve, SAMPLE_INTERVAL))
    const asked = now()
    const nodes = await ask(command)
    const answered = now()
    for (const { name, answers } of nodes) {
      const seconds = Number(values(answers[command] ?? '', ';').current_time ?? NaN)
      if (!(seconds > 0)) continue
      known.set(name, narrowed(known.get(name), bounds(name, seconds, asked, answered)))
    }
  }
  return [...known.values()]
}

/**
 * Returns the bounds of one sample: at some time between request and answer, the node's clock showed this second.
 *
 * @param {string} name
 * @param {number} seconds since 2010
 * @param {number} asked
 * @param {number} answered
 * @returns {Skew}
 */
function bounds (name, seconds, asked, answered) {
  const begin = (seconds + CITRUSLEAF_EPOCH) * 1_000
  return { name, least: begin - answered, most: begin + 1_000 - asked }
}

/**
 * @param {Skew | undefined} before
 * @param {Skew} now
 * @returns {Skew}
 */
function narrowed (before, now) {
  if (before === undefined) return now
  const least = Math.max(before.least, now.least)
  const most = Math.min(before.most, now.most)
  // If the bounds contradict each other, a clock was set in the meantime.
  return least > most ? now : { ...now, least, most }
}

module.exports = { bounds, narrowed, skews }
