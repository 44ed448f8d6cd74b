'use strict'

// The process of one limiter.

const { performance } = require('node:perf_hooks')
const { serve } = require('../child')
const { readClocks, usedSince } = require('../clocks')
const { LIMITERS } = require('./limiters')
const { quantiles } = require('../medians')

/** @type {import('./limiters').Opened} */
let opened
let next = 0

serve({
  /** @param {import('../peers').Places & { limiter: string }} options */
  async open ({ limiter, ...places }) {
    opened = await LIMITERS[limiter].open(places)
  },

  /** @param {{ keys: number, depth: number, seconds: number }} load */
  async measure ({ keys, depth, seconds }) {
    /** @type {number[]} */
    const latencies = []
    const clocks = readClocks()
    const begun = performance.now()
    const end = begun + seconds * 1_000
    await Promise.all(Array.from({ length: depth }, async () => {
      while (performance.now() < end) {
        const called = performance.now()
        await opened.hit(`192.0.2.${next++ % keys}`)
        latencies.push((performance.now() - called) * 1_000)
      }
    }))
    const took = (performance.now() - begun) / 1_000
    const { cpuUs, jsUs } = usedSince(clocks, latencies.length)
    const [p50, p99] = quantiles(Float64Array.from(latencies), [0.5, 0.99])
    return { throughput: latencies.length / took, jsUs, cpuUs, p50, p99 }
  },

  close: () => opened.close()
})
