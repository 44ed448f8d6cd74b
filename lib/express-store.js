'use strict'

// The class that express-session wants its stores to extend. Where express-session is not
// installed (koa and fastify users), an event emitter is all that is asked of a store.

const { EventEmitter } = require('node:events')

/**
 * @returns {new () => import('node:events').EventEmitter & { createSession (req: any, session: any): any }}
 */
function storeClass () {
  try {
    return /** @type {any} */ (require('express-session').Store)
  } catch (error) {
    const { code } = /** @type {NodeJS.ErrnoException} */ (error)
    if (code !== 'MODULE_NOT_FOUND') throw error
    return /** @type {any} */ (EventEmitter)
  }
}

module.exports = { Store: storeClass() }
