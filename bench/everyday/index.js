'use strict'

// Everyday load: few operations in flight, and an Express site at a low fixed rate. Measures how much CPU a store uses.

const { Child } = require('../child')
const { median, mediansOfEach } = require('../medians')
const { Sites } = require('../pages/sites')
const { inRounds } = require('../rounds')
const { measureRow, openStores } = require('../stores')

/**
 * @typedef {import('../clocks').Used & { perSecond: number, p50: number, p99: number, longest: number }} Paced
 *   latencies in milliseconds
 * @typedef {Paced & { aboveUs: number }} PacedAbove CPU of a page, and by how much it is above MemoryStore's of the same round
 * @typedef {{ rate: number, page: string, stores: Record<string, PacedAbove> }} PacedRow rate in pages per second
 * @typedef {{ site: PacedRow[], operations: import('../stores').Row[] }} Everyday
 */

const CONNECTIONS = 8
/** Operations in flight, for sessions of 0.5 kB that are only read. */
const DEPTHS = [1, 2, 4, 16, 64, 256]
/** kB: the sizes of sessions for the cost of one operation. */
const SIZES = [0.5, 4, 32]

/**
 * @param {import('../options').Options} options
 * @param {import('../peers').Places} places
 * @param {import('../parts').Progress} progress
 * @returns {Promise<Everyday>}
 */
async function measure (options, places, progress) {
  return { site: await measureSite(options, places, progress), operations: await measureOperations(options, places, progress) }
}

/**
 * @param {import('../options').Options} options
 * @param {import('../peers').Places} places
 * @param {import('../parts').Progress} progress
 * @returns {Promise<PacedRow[]>}
 */
async function measureSite ({ stores, rates, pages, rounds, pageSeconds }, places, progress) {
  if (pages.length === 0) return []
  const sites = new Sites({ ...places, set: `${places.set}-paced` })
  const load = new Child('everyday/load-process.js', [])
  /** @type {PacedRow[]} */
  const rows = []
  try {
    await sites.open(stores)
    for (const rate of rates) {
      for (const page of pages) {
        const measured = await inRounds(stores, rounds, (store, round) => {
          progress(`${rate} pages per second that ${page}, ${store}: ${round === 0 ? 'warming up' : `round ${round} of ${rounds}`}`)
          const paced = { page, rate, connections: CONNECTIONS, seconds: round === 0 ? 1 : pageSeconds }
          return sites.under(store, site => load.ask('load', { ...site, ...paced }))
        })
        rows.push({ rate, page, stores: aboveMemory(measured) })
      }
    }
    await sites.close()
  } finally {
    await Promise.all([load.end(), sites.end()])
  }
  return rows
}

/**
 * Returns each store's medians. The difference to MemoryStore is computed within a round, because what slows the machine for a
 * while slows both.
 *
 * @param {Record<string, Paced[]>} measured
 * @returns {Record<string, PacedAbove>}
 */
function aboveMemory (measured) {
  return Object.fromEntries(Object.entries(mediansOfEach(measured)).map(([store, medians]) => {
    const above = measured[store].map(({ cpuUs }, round) => cpuUs - (measured.memory?.[round].cpuUs ?? NaN))
    return [store, { ...medians, aboveUs: median(above) }]
  }))
}

/**
 * @param {import('../options').Options} options
 * @param {import('../peers').Places} places
 * @param {import('../parts').Progress} progress
 */
async function measureOperations (options, places, progress) {
  const children = await openStores(options.stores, { ...places, set: `${places.set}-few` })
  const bare = new Child('stores/process.js', ['bare JSON'])
  const rows = []
  try {
    for (const size of SIZES) {
      progress(`${size} kB: storing sessions`)
      for (const child of Object.values(children)) await child.ask('fill', { size })
      for (const depth of size === SIZES[0] ? DEPTHS : [1]) rows.push(await measureRow({ size, mix: 'read', depth }, { children, bare }, options, progress))
      for (const mix of /** @type {const} */ (['touch', 'write'])) rows.push(await measureRow({ size, mix, depth: 1 }, { children, bare }, options, progress))
    }
    for (const child of Object.values(children)) await child.ask('close', { clear: true })
  } finally {
    await Promise.all([...Object.values(children), bare].map(child => child.end()))
  }
  return rows
}

module.exports = { aboveMemory, measure, ...require('./report') }
