'use strict'

// A history: random steps that run on one server and then on the other, and the first difference.

const { isSame } = require('./compare')

/** @typedef {{ kind: string, [field: string]: any }} Step a command, as data */
/** @typedef {{ status: number | string, [field: string]: any }} Outcome the result of a step for a user */
/** @typedef {{ run: (step: Step) => Promise<Outcome>, clean: () => Promise<void>, close: () => Promise<void> }} Target a server */
/** @typedef {{ steps: Step[], step: number, left: Outcome, right: Outcome }} Difference the last of `steps` differs */

/**
 * @param {Target} target
 * @param {Step[]} steps
 */
async function play (target, steps) {
  const outcomes = []
  try {
    for (const step of steps) outcomes.push(await target.run(step))
  } finally {
    await target.clean()
  }
  return outcomes
}

/**
 * Runs a history on both servers, one after the other. Both may be the same server.
 * @param {[Target, Target]} targets
 * @param {Step[]} steps
 * @returns {Promise<Difference | null>}
 */
async function findDifference ([leftTarget, rightTarget], steps) {
  const left = await play(leftTarget, steps)
  const right = await play(rightTarget, steps)
  const step = left.findIndex((outcome, index) => !isSame(outcome, right[index]))
  return step < 0 ? null : { steps: steps.slice(0, step + 1), step, left: left[step], right: right[step] }
}

module.exports = { findDifference }
