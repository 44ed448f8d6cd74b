'use strict'

// Code and objects that outlive a request: they must neither hold its AsyncLocalStorage context nor run in it.

const { AsyncResource } = require('node:async_hooks')

/**
 * Code that runs in this resource has no AsyncLocalStorage context. Node.js has no public way to leave all contexts, and the
 * package may be loaded in the context of a request. If a later Node.js keeps the context elsewhere, this resource has the
 * context in which the package was loaded.
 */
const outside = new AsyncResource('AerospikeSession')
for (const symbol of Object.getOwnPropertySymbols(outside)) {
  // Node.js 20: kResourceStore; from 22 on: context_frame.
  if (/store|frame/i.test(String(symbol.description))) Object.assign(outside, { [symbol]: undefined })
}

// It lasts as long as the package and holds nothing: tools that look for open handles, such as jest's, need not report it.
outside.emitDestroy()

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
