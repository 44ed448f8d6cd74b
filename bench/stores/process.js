'use strict'

// The process of one store, so that stores do not share garbage, threads or memory.

const { performance } = require('node:perf_hooks')
const { serve } = require('../child')
const { readClocks, usedSince } = require('../clocks')
const { PEERS } = require('../peers')
const { change, makeSession, sessionIds } = require('../session')
const { fill, measure } = require('./visitors')

/** @type {import('../peers').Opened} */
let opened

serve({
  /** @param {import('../peers').Places & { store: string }} options */
  async open ({ store, ...places }) {
    opened = await PEERS[store].open(places)
  },

  /** @param {{ size: number }} options */
  fill: ({ size }) => fill(opened.store, sessionIds(size), () => makeSession(size)),

  /** @param {{ size: number, depth: number, mix: import('./visitors').Mix, seconds: number, operations?: number }} load */
  measure: ({ size, ...load }) => measure(opened.store, { ids: sessionIds(size), ...load }),

  /** Without a store: JSON.parse and JSON.stringify instead of get and set, in microseconds of the thread per operation. */
  bareJson (/** @type {{ size: number, mix: string, seconds: number }} */ { size, mix, seconds }) {
    let text = JSON.stringify(makeSession(size))
    const end = performance.now() + seconds * 1_000
    const clocks = readClocks()
    let operations = 0
    while (performance.now() < end) {
      const session = JSON.parse(text)
      operations += 1
      if (mix === 'write') {
        change(session)
        text = JSON.stringify(session)
        operations += 1
      }
    }
    return usedSince(clocks, operations).jsUs
  },

  /** @param {{ clear: boolean }} options */
  close: ({ clear }) => opened.close(clear)
})
