'use strict'

// The limiters that are compared, each opened as its documentation describes.

/** Milliseconds. */
const WINDOW = 60_000
/** Hits of a key in a window. Most keys stay below it. */
const LIMIT = 1_000

/**
 * @typedef {import('../peers').Places} Places
 * @typedef {{ hit: (key: string) => Promise<any>, close: () => Promise<void> }} Opened
 * @typedef {{ title: string, needs?: 'redis', open: (places: Places) => Promise<Opened> }} Limiter
 */

/** @param {'fixed' | 'sliding'} type */
function limiter (type) {
  return async (/** @type {Places} */ { hosts, set }) => {
    const { RateLimiter } = require('../../exports/rate-limit')
    const limiter = new RateLimiter({ hosts, set, type, limit: LIMIT, window: WINDOW / 1_000 })
    await limiter.client.ready()
    return { hit: (/** @type {string} */ key) => limiter.consume(key), close: () => limiter.close() }
  }
}

/** @type {Record<string, Limiter>} */
const LIMITERS = {
  memory: {
    title: 'MemoryStore',
    open: async () => {
      const { MemoryStore } = require('express-rate-limit')
      const store = new MemoryStore()
      store.init(/** @type {any} */ ({ windowMs: WINDOW }))
      return { hit: key => store.increment(key), close: async () => store.shutdown() }
    }
  },
  fixed: { title: 'RateLimiter, fixed', open: limiter('fixed') },
  sliding: { title: 'RateLimiter, sliding', open: limiter('sliding') },
  express: {
    title: 'AerospikeRateLimitStore',
    open: async ({ hosts, set }) => {
      const { AerospikeRateLimitStore } = require('../../exports/rate-limit')
      const store = new AerospikeRateLimitStore({ hosts, set })
      store.init({ windowMs: WINDOW })
      await store.client.ready()
      return {
        hit: key => store.increment(key),
        close: async () => {
          await store.resetAll()
          await store.close()
        }
      }
    }
  },
  redis: {
    title: 'rate-limit-redis',
    needs: 'redis',
    open: async ({ redis }) => {
      const { createClient } = require('redis')
      const { RedisStore } = require('rate-limit-redis')
      const client = createClient({ url: redis })
      await client.connect()
      const store = new RedisStore({ sendCommand: (/** @type {string[]} */ ...args) => client.sendCommand(args) })
      await store.init(/** @type {any} */ ({ windowMs: WINDOW }))
      return { hit: key => store.increment(key), close: async () => { await client.close() } }
    }
  }
}

module.exports = { LIMITERS }
