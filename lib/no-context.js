'use strict'

// What outlives a request must not hold its AsyncLocalStorage context, nor be called in it.

const { AsyncResource } = require('node:async_hooks')

/**
 * What runs in it has no AsyncLocalStorage context. There is no other way to be sure of that: the package itself may be
 * loaded in the context of a request. Where a later Node.js keeps the context elsewhere, it is that in which it is loaded.
 */
const outside = new AsyncResource('AerospikeSession')
for (const symbol of Object.getOwnPropertySymbols(outside)) {
  // Node.js 20: kResourceStore; from 22 on: context_frame.
  if (/store|frame/i.test(String(symbol.description))) Object.assign(outside, { [symbol]: undefined })
}

/**
 * Runs a function that makes something which outlives the caller's AsyncLocalStorage context.
 *
 * @template T
 * @param {() => T} fn
 * @returns {T}
 */
function inNoContext (fn) {
  return outside.runInAsyncScope(fn)
}

module.exports = { inNoContext }
