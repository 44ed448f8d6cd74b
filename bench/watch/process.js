'use strict'

// The process that watches sessions.

const { monitorEventLoopDelay, performance } = require('node:perf_hooks')
const { setTimeout: pass } = require('node:timers/promises')
const { AerospikeStore } = require('../..')
const { serve } = require('../child')
const { readClocks, usedSince } = require('../clocks')
const { makeSession } = require('../session')

/** Sessions that are stored at once. */
const TOGETHER = 500
/** kB */
const SIZE = 0.5
const MINUTE = 60_000

/** @type {AerospikeStore} */
let store
/** @type {import('../..').SessionWatch[]} */
let watches = []

const idOf = (/** @type {number} */ n) => `watched-${n}`

serve({
  /** @param {{ hosts: string, set: string, interval: number, count: number }} options */
  async open ({ hosts, set, interval, count }) {
    store = new AerospikeStore({ hosts, set, watchInterval: interval })
    for (let from = 0; from < count; from += TOGETHER) {
      const length = Math.min(TOGETHER, count - from)
      await Promise.all(Array.from({ length }, (_, n) => store.set(idOf(from + n), makeSession(SIZE))))
    }
  },

  /** Watches sessions, and waits until each has been checked and has its place in the interval. @param {{ count: number, interval: number }} options */
  async watch ({ count, interval }) {
    const before = process.memoryUsage.rss()
    const called = performance.now()
    watches = Array.from({ length: count }, (_, n) => store.watch(idOf(n)))
    const took = performance.now() - called
    const { signal } = store.watch('a session that was never stored')
    if (!signal.aborted) await new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }))
    const bytes = (process.memoryUsage.rss() - before) / count
    await pass(interval * 1_000)
    return { callUs: took * 1_000 / count, bytes }
  },

  /** @param {{ seconds: number }} options */
  async measure ({ seconds }) {
    const [before, stats] = [readClocks(), store.stats()]
    const begun = performance.now()
    await pass(seconds * 1_000)
    const minutes = (performance.now() - begun) / MINUTE
    const used = usedSince(before, minutes)
    const { batches, batched } = store.stats()
    const ended = watches.filter(({ signal }) => signal.aborted).length
    return {
      cpuMs: used.cpuUs / 1_000,
      jsMs: used.jsUs / 1_000,
      batches: (batches - stats.batches) / minutes,
      reads: (batched - stats.batched) / minutes,
      ended
    }
  },

  /** Returns the longest that the event loop was late, in ms. Measured apart, because that costs CPU time. @param {{ seconds: number }} options */
  async delay ({ seconds }) {
    const histogram = monitorEventLoopDelay({ resolution: 1 })
    histogram.enable()
    await pass(seconds * 1_000)
    histogram.disable()
    return histogram.max / 1e6
  },

  async close () {
    for (const { stop } of watches) stop()
    await store.clear()
    await store.close()
  }
})
