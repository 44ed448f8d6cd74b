'use strict'

// The function that native code calls with answers. Native code holds it strongly only while an answer is pending. The
// function references its whole module, so a store that is never closed would keep all of that alive: in jest, the whole
// sandbox of a test file.

const vm = require('node:vm')

/**
 * @typedef {{ call: (batch: any[]) => void, hold: () => void, release: () => void }} Handle
 *   `call` holds the function weakly, or strongly between `hold` and `release`
 */

/**
 * Creates a handle. Runs in the main context of the thread, because a function that is created in jest's sandbox keeps the
 * sandbox alive.
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
