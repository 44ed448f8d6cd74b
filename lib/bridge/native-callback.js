'use strict'

// How native code holds the function that it calls with answers: strongly only while an answer is awaited. The function
// reaches everything that its module reaches, and a store that was never closed would keep all of that: in jest, the whole
// sandbox of a test file.

const vm = require('node:vm')

/**
 * @typedef {{ call: (batch: any[]) => void, hold: () => void, release: () => void }} Handle
 *   `call` holds the function weakly, or strongly between `hold` and `release`
 */

/**
 * Made in the main context of the thread: a function that is made here keeps the sandbox by being made in it.
 * @type {(fn: (batch: any[]) => void) => Handle}
 */
const handle = vm.runInThisContext(`'use strict'; (fn => {
  const weak = new WeakRef(fn)
  let strong
  return {
    call: batch => (strong ?? weak.deref())?.(batch),
    hold: () => { strong = weak.deref() },
    release: () => { strong = undefined }
  }
})`)

module.exports = { handle }
