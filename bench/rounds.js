'use strict'

// The stores, called directly: in each round every store has its turn, so that what disturbs the machine disturbs all.

const { Child } = require('./child')
const { Limit } = require('./limit')
const { medians } = require('./medians')

/**
 * @typedef {import('./visitors').Measured} Measured
 * @typedef {{ size: number, mix: import('./visitors').Mix, depth: number }} Load
 * @typedef {Load & { stores: Record<string, Measured>, limit?: { single: Limited, batched: Limited }, bareJsonUs: number }} Row
 * @typedef {{ ops: number, throughput: number, p50: number, p99: number, p999: number, cpuUs: number }} Limited
 * @typedef {(done: string) => void} Progress
 */

/**
 * @param {import('./options').Options} options
 * @param {import('./peers').Places} places
 * @param {Progress} progress
 * @returns {Promise<Row[]>}
 */
async function measureStores (options, places, progress) {
  /** @type {Record<string, Child>} */
  const children = {}
  for (const store of options.stores) {
    children[store] = new Child('store-process.js', [store])
    await children[store].ask('open', { store, ...places, set: `${places.set}-${store}` })
  }
  const bare = new Child('store-process.js', ['bare JSON'])
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
 * @param {Load} load
 * @param {{ children: Record<string, Child>, bare: Child, limit?: Limit }} processes
 * @param {import('./options').Options} options
 * @param {Progress} progress
 * @returns {Promise<Row>}
 */
async function measureRow (load, { children, bare, limit }, { rounds, seconds }, progress) {
  /** @type {Record<string, Measured[]>} */
  const stores = Object.fromEntries(Object.keys(children).map(store => [store, []]))
  const limits = { single: /** @type {Limited[]} */ ([]), batched: /** @type {Limited[]} */ ([]) }
  const bareJson = []
  // A round before the first: what is compiled and connected only now is no part of the figures.
  for (let round = 0; round <= rounds; round++) {
    const isWarmUp = round === 0
    progress(`${load.size} kB, ${load.mix}, ${load.depth} in flight: ${isWarmUp ? 'warming up' : `round ${round} of ${rounds}`}`)
    const timed = { ...load, seconds: isWarmUp ? seconds / 2 : seconds }
    for (const [store, child] of Object.entries(children)) {
      const measured = await child.ask('measure', timed)
      if (!isWarmUp) stores[store].push(measured)
    }
    const bareUs = await bare.ask('bareJson', { ...timed, seconds: 0.1 })
    if (!isWarmUp) bareJson.push({ us: bareUs })
    if (limit === undefined) continue
    const [single, batched] = [await limit.measure(timed, false), await limit.measure(timed, true)]
    if (isWarmUp) continue
    limits.single.push(single)
    limits.batched.push(batched)
  }
  return {
    ...load,
    stores: Object.fromEntries(Object.entries(stores).map(([store, all]) => [store, medians(all)])),
    limit: limit && { single: medians(limits.single), batched: medians(limits.batched) },
    bareJsonUs: medians(bareJson).us
  }
}

module.exports = { measureStores }
