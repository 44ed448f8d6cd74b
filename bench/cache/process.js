'use strict'

// A process with one cache. Its argument: `keyv` (this package) or `keyv-redis`.

const { performance } = require('node:perf_hooks')
const { Keyv } = require('keyv')
const { serve } = require('../child')
const { readClocks, usedSince } = require('../clocks')
const { quantiles } = require('../medians')

/** Keys of the cache, and of one getMany. */
const KEYS = 10_000
const TOGETHER = 100
/** Milliseconds. */
const TTL = 600_000

/** @type {Keyv} */
let cache
/** Removes what was stored, and disconnects. @type {() => Promise<void>} */
let close
let next = 0

/** @param {{ hosts: string, redis: string, set: string }} places */
function open ({ hosts, redis, set }) {
  if (process.argv[2] === 'keyv') {
    const { SessionStore } = require('../..')
    const { KeyvAerospike } = require('../../exports/keyv')
    const client = new SessionStore({ hosts })
    return { store: new KeyvAerospike({ client, set, throwOnErrors: true }), stop: () => client.close() }
  }
  const { default: KeyvRedis } = require('@keyv/redis')
  const store = new KeyvRedis(redis, { throwOnErrors: true })
  return { store, stop: () => store.disconnect() }
}

const keyAt = (/** @type {number} */ n) => `key-${n % KEYS}`
/** @type {string} */
let value

/** @type {Record<string, () => Promise<any>>} */
const CALLS = {
  get: () => cache.get(keyAt(next++)),
  set: () => cache.set(keyAt(next++), value, TTL),
  getMany: () => cache.getMany(Array.from({ length: TOGETHER }, () => keyAt(next++)))
}

serve({
  /** @param {{ hosts: string, redis: string, set: string, bytes: number }} options */
  async open ({ bytes, ...places }) {
    const { store, stop } = open(places)
    cache = new Keyv({ store, namespace: 'bench', throwOnErrors: true })
    close = async () => {
      await cache.clear()
      await stop()
    }
    value = 'v'.repeat(bytes)
    for (let from = 0; from < KEYS; from += TOGETHER) {
      await cache.setMany(Array.from({ length: TOGETHER }, (_, n) => ({ key: keyAt(from + n), value, ttl: TTL })))
    }
  },

  /** Keeps `depth` calls in flight. @param {{ call: string, depth: number, seconds: number }} options */
  async load ({ call, depth, seconds }) {
    const run = CALLS[call]
    /** @type {number[]} */
    const latencies = []
    const before = readClocks()
    const begun = performance.now()
    const end = begun + seconds * 1_000
    await Promise.all(Array.from({ length: depth }, async () => {
      while (performance.now() < end) {
        const called = performance.now()
        await run()
        latencies.push((performance.now() - called) * 1_000)
      }
    }))
    const took = (performance.now() - begun) / 1_000
    const { jsUs, cpuUs } = usedSince(before, latencies.length)
    const [p50, p99] = quantiles(Float64Array.from(latencies), [0.5, 0.99])
    return { perSecond: latencies.length / took, p50, p99, jsUs, cpuUs }
  },

  close: () => close()
})
