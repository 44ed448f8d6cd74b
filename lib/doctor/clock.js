'use strict'

// How far the nodes' clocks are from ours. A node tells its time in whole seconds, as `current_time` of a namespace: the
// clock that void times are held against. Each look gives bounds a second apart; together they are narrower.

const { now, setTimeout } = require('../clock')
const { values } = require('./facts')

/** Seconds: void times count from 2010. */
const CITRUSLEAF_EPOCH = 1_262_304_000
const LOOKS = 10
/** Milliseconds between two looks: all of them together are a second, and one falls close to its end. */
const BETWEEN = 100

/** @typedef {import('./facts').Skew} Skew */

/**
 * @param {(command: string) => any} ask all nodes: as the core tells of them
 * @param {string} namespace
 * @returns {Promise<Skew[]>}
 */
async function skews (ask, namespace) {
  /** @type {Map<string, Skew>} */
  const known = new Map()
  const command = `namespace/${namespace}`
  for (let look = 0; look < LOOKS; look++) {
    if (look > 0) await new Promise(resolve => setTimeout(resolve, BETWEEN))
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
 * What one look tells: the node's clock stood at that second at some time between question and answer.
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
  // A clock was set meanwhile.
  return least > most ? now : { ...now, least, most }
}

module.exports = { bounds, narrowed, skews }
