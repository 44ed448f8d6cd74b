'use strict'

// An open loop: calls start at a fixed rate, whether or not those before them have been answered.

const { performance } = require('node:perf_hooks')

/**
 * Starts a call every `interval` milliseconds until `isOver`. If the event loop was blocked, the calls that fell due meanwhile
 * start at once.
 *
 * @param {number} interval milliseconds
 * @param {(due: number, started: number) => boolean} isOver given when the next call is due, and how many have started
 * @param {(due: number) => Promise<void>} call given when it was due, by `performance.now()`
 * @returns {Promise<number>} how many calls there were, once all have been answered; rejects with the first failure
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
