'use strict'

// An open loop: calls start at a fixed rate, whether earlier ones have been answered or not.

const { performance } = require('node:perf_hooks')

/**
 * Starts a call every `interval` milliseconds until `isOver`. If the event loop was blocked, calls that fell due in the meantime
 * start at once.
 *
 * @param {number} interval milliseconds between two calls
 * @param {(due: number, started: number) => boolean} isOver gets the time of the next call, and the number of started calls
 * @param {(due: number) => Promise<void>} call gets the time when it was due, by `performance.now()`
 * @returns {Promise<number>} the number of calls, after all have been answered; rejects with the first failure
 */
function pace (interval, isOver, call) {
  return new Promise((resolve, reject) => {
    const begun = performance.now()
    /** @type {Promise<void>[]} */
    const calls = []
    let failed = false
    const turn = () => {
      let due = begun + calls.length * interval
      for (const now = performance.now(); due <= now; due += interval) {
        if (isOver(due, calls.length)) {
          Promise.all(calls).then(() => resolve(calls.length))
          return
        }
        calls.push(call(due).catch(error => {
          failed = true
          reject(error)
        }))
      }
      if (!failed) setTimeout(turn, due - performance.now())
    }
    turn()
  })
}

module.exports = { pace }
