'use strict'

// Runs code that creates long-lived objects. They must neither hold the AsyncLocalStorage context of a request nor run in it.

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

// The resource is never freed and holds nothing, so tools that look for open handles, such as jest's, should not report it.
outside.emitDestroy()

/**
 * Calls a function outside of all AsyncLocalStorage contexts.
 *
 * @template T
 * @param {() => T} fn
 * @returns {T}
 */
function inNoContext (fn) {
  return outside.runInAsyncScope(fn)
}

module.exports = { inNoContext }
