'use strict'

// The process of one store that runs something large and small reads at the same time.

const { monitorEventLoopDelay, performance } = require('node:perf_hooks')
const { setImmediate: turn, setTimeout: pass } = require('node:timers/promises')
const { serve } = require('../child')
const { quantiles } = require('../medians')
const { pace } = require('../pace')
const { PEERS } = require('../peers')
const { makeSession } = require('../session')
const { fill } = require('../stores/visitors')
const { BESIDE } = require('./beside')

/** Milliseconds between two small reads. */
const INTERVAL = 5

/** @type {import('../peers').Opened} */
let opened
/** @type {any} */
let store

/**
 * Repeats the large operation for this time, at least once.
 *
 * @param {import('./beside').Work} work
 * @param {number} seconds
 */
async function repeat (work, seconds) {
  const begun = performance.now()
  let runs = 0
  do {
    await work.run(store)
    runs += 1
    // An operation that is rejected at once would otherwise block the event loop.
    await turn()
  } while (performance.now() - begun < seconds * 1_000)
  return { runs, took: (performance.now() - begun) / runs }
}

serve({
  /** @param {import('../peers').Places & { store: string, sessions: number }} options */
  async open ({ store: name, sessions, ...places }) {
    opened = await PEERS[name].open(places)
    store = opened.store
    await fill(store, Array.from({ length: sessions }, (_, n) => `bench-${n}`), () => makeSession(0.5), 1_024)
  },

  /** @param {{ beside: string }} options */
  prepare: ({ beside }) => BESIDE[beside].prepare?.(store),

  /** @param {{ beside: string, seconds: number }} options */
  async measure ({ beside, seconds }) {
    /** @type {number[]} */
    const durations = []
    let started = 0
    // Reads that fell due while the end of the operation blocked the event loop still count.
    let end = Infinity
    const delay = monitorEventLoopDelay({ resolution: 1 })
    delay.enable()
    // The monitor records no delay before its first turn.
    await pass(20)
    const reads = pace(INTERVAL, due => due > end, async due => {
      // In turn, so that no two reads are of one session.
      const session = await store.get(`bench-${started++ % 1_000}`)
      // Measured from when it was due: a read that the event loop started late was late for its visitor.
      durations.push(performance.now() - due)
      if (session === null) throw new Error('a session is gone')
    })
    const done = await Promise.race([repeat(BESIDE[beside], seconds), reads.then(() => { throw new Error('the reads ended early') })])
      .finally(() => { end = performance.now() })
    await reads
    delay.disable()
    const [p50, p99, longest] = quantiles(Float64Array.from(durations), [0.5, 0.99, 1])
    return { gets: durations.length, p50, p99, longest, loopP99: delay.percentile(99) / 1e6, loopLongest: delay.max / 1e6, ...done }
  },

  /** @param {{ beside: string }} options */
  remove: ({ beside }) => BESIDE[beside].remove?.(store),

  /** @param {{ clear: boolean }} options */
  close: ({ clear }) => opened.close(clear)
})
