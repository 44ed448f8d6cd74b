'use strict'

// The large operations that a store runs in parallel to small reads.

const { setTimeout: pass } = require('node:timers/promises')
const { makeSession } = require('../session')

/**
 * @typedef {{ title: string, isBounded?: boolean, prepare?: (store: any) => Promise<unknown>, run: (store: any) => Promise<unknown>,
 * remove?: (store: any) => Promise<unknown> }} Work `isBounded`: the targets for small reads apply during it
 */

const LARGE = Array.from({ length: 256 }, (_, n) => `large-${n}`)
const HUGE = 'y'.repeat(45e6)

/**
 * Sessions of 170 kB: 3,000 strings, or 2,400 articles with four values each. Parsing 256 of the latter blocks the event loop,
 * also without a store, so that a timer is up to 40 ms late: the garbage collector has to copy them.
 */
const SHAPES = {
  texts: () => ({ ...makeSession(0.5), texts: Object.fromEntries(Array.from({ length: 3_000 }, (_, n) => [`key${n}`, 'v'.repeat(40) + n])) }),
  articles: () => makeSession(170)
}

/**
 * @param {string} title
 * @param {() => object} make
 * @returns {Work}
 */
const largeReads = (title, make) => ({
  title,
  prepare: async store => {
    const text = JSON.stringify(make())
    for (const id of LARGE) await store.set(id, JSON.parse(text))
  },
  run: store => Promise.all(LARGE.map(id => store.get(id))),
  remove: store => Promise.all(LARGE.map(id => store.destroy(id)))
})

/** @type {Record<string, Work>} */
const BESIDE = {
  nothing: {
    title: 'nothing',
    run: () => pass(100)
  },
  all: {
    title: 'all() of 150,000 sessions',
    isBounded: true,
    run: store => store.all()
  },
  large: { ...largeReads('256 reads of 170 kB (3,000 values)', SHAPES.texts), isBounded: true },
  larger: largeReads('256 reads of 170 kB (11,000 values)', SHAPES.articles),
  huge: {
    title: 'a save of 45 MB (refused)',
    isBounded: true,
    run: async store => {
      const refused = await store.set('huge', { ...makeSession(0.5), text: HUGE }).then(() => 'nothing', (/** @type {any} */ error) => error.code)
      if (refused !== 'TOO_BIG') throw new Error(`a save of 45 MB was answered with ${refused}`)
    }
  }
}

module.exports = { BESIDE }
