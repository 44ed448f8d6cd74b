'use strict'

// The stores, called directly.

const { Child } = require('../child')
const { Limit } = require('./limit')
const { medians } = require('../medians')
const { ofEveryPart } = require('../peers')
const { inRounds } = require('../rounds')

/**
 * @typedef {import('./visitors').Measured} Measured
 * @typedef {{ size: number, mix: import('./visitors').Mix, depth: number }} Load
 * @typedef {Load & { stores: Record<string, Measured>, limit?: { single: Limited, batched: Limited }, bareJsonUs: number }} Row
 * @typedef {{ ops: number, throughput: number, p50: number, p99: number, p999: number, cpuUs: number }} Limited
 */

/**
 * @param {import('../options').Options} options
 * @param {import('../peers').Places} places
 * @param {import('../parts').Progress} progress
 * @returns {Promise<Row[]>}
 */
async function measure (options, places, progress) {
  const children = await openStores(ofEveryPart(options.stores), places)
  const bare = new Child('stores/process.js', ['bare JSON'])
  const limit = options.limit ? new Limit(places.hosts, `${places.set}-limit`) : undefined
  /** @type {Row[]} */
  const rows = []
  try {
    for (const size of options.sizes) {
      progress(`${size} kB: storing sessions`)
      for (const child of Object.values(children)) await child.ask('fill', { size })
      await limit?.fill(size)
      for (const mix of options.mixes) {
        for (const depth of options.depths) rows.push(await measureRow({ size, mix, depth }, { children, bare, limit }, options, progress))
      }
    }
    for (const child of Object.values(children)) await child.ask('close', { clear: true })
  } finally {
    await Promise.all([...Object.values(children), bare].map(child => child.end()))
    await limit?.end()
  }
  return rows
}

/**
 * Starts a process for each store. The caller ends them.
 *
 * @param {string[]} stores
 * @param {import('../peers').Places} places
 */
async function openStores (stores, places) {
  /** @type {Record<string, Child>} */
  const children = {}
  for (const store of stores) {
    children[store] = new Child('stores/process.js', [store])
    await children[store].ask('open', { store, ...places, set: `${places.set}-${store}` })
  }
  return children
}

/**
 * @param {Load} load
 * @param {{ children: Record<string, Child>, bare: Child, limit?: Limit }} processes
 * @param {import('../options').Options} options
 * @param {import('../parts').Progress} progress
 * @returns {Promise<Row>}
 */
async function measureRow (load, { children, bare, limit }, options, progress) {
  /** @type {Record<string, (timed: Load & { seconds: number }) => Promise<any>>} */
  const turns = { bare: async timed => ({ us: await bare.ask('bareJson', { ...timed, seconds: 0.1 }) }) }
  if (limit !== undefined) {
    turns.single = timed => limit.measure(timed, false)
    turns.batched = timed => limit.measure(timed, true)
  }
  for (const [store, child] of Object.entries(children)) turns[`store ${store}`] = timed => child.ask('measure', timed)
  const rounds = await inRounds(Object.keys(turns), options.rounds, (turn, round) => {
    progress(`${load.size} kB, ${load.mix}, ${load.depth} in flight: ${round === 0 ? 'warming up' : `round ${round} of ${options.rounds}`}`)
    return turns[turn]({ ...load, seconds: round === 0 ? options.seconds / 2 : options.seconds })
  })
  return {
    ...load,
    stores: Object.fromEntries(Object.keys(children).map(store => [store, medians(rounds[`store ${store}`])])),
    limit: limit && { single: medians(rounds.single), batched: medians(rounds.batched) },
    bareJsonUs: medians(rounds.bare).us
  }
}

module.exports = { measure, measureRow, openStores, ...require('./report') }
