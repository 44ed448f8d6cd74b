'use strict'

// Rate limiters for tests: on sets of their own, which are emptied afterwards, and with a clock that a test can move.

const cleanups = []
// Before the clients of `server.js` are closed: hooks run in the order of their registration.
afterAll(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const { AerospikeRateLimitStore } = require('../../exports/rate-limit')
const { freshSet, hosts } = require('./server')

/** Opens a limiter or a store on the server of the suite. `Class` may be of another copy of the package. */
function openLimiter (Class, options = {}) {
  const all = { hosts: hosts(), set: freshSet(), ...options }
  if (options.client !== undefined) delete all.hosts
  const limiter = new Class(all)
  const { limit, window, type, onError, ...place } = all
  cleanups.push(async () => {
    const store = new AerospikeRateLimitStore({ prefix: '', ...place })
    await store.resetAll()
    await store.close()
    await limiter.close()
  })
  return limiter
}

/**
 * Loads a copy of the package whose clock is `clock.shift` milliseconds ahead.
 * @returns {typeof import('../../exports/rate-limit') & { clock: { shift: number } }}
 */
function withClock (shift = 0) {
  const clock = { shift }
  const { now } = Date
  let loaded
  Date.now = () => now() + clock.shift
  try {
    jest.isolateModules(() => { loaded = require('../../exports/rate-limit') })
  } finally {
    Date.now = now
  }
  return { ...loaded, clock }
}

module.exports = { openLimiter, withClock }
