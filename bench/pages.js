'use strict'

// The stores under a real Express site: pages per second, and how long the slowest of a hundred takes.

const { Child } = require('./child')
const { medians } = require('./medians')

/**
 * @typedef {{ requests: number, perSecond: number, p50: number, p99: number, jsUs: number, cpuUs: number, utilisation: number }} Paged
 *   latencies in milliseconds
 * @typedef {{ page: string, stores: Record<string, Paged> }} PageRow
 */

/** More than connections: each of those serves some visitors in turn. */
const VISITORS = 512

/**
 * @param {import('./options').Options} options
 * @param {import('./peers').Places} places
 * @param {import('./rounds').Progress} progress
 * @returns {Promise<PageRow[]>}
 */
async function measurePages (options, places, progress) {
  /** @type {{ store: string, child: Child, site: { url: string, cookies: string[] } }[]} */
  const sites = []
  const load = new Child('http-load-process.js', [])
  /** @type {PageRow[]} */
  const rows = []
  try {
    for (const store of options.pages.length > 0 ? options.stores : []) {
      const child = new Child('site-process.js', [store])
      const site = await child.ask('open', { store, ...places, set: `${places.set}-site-${store}`, visitors: VISITORS })
      sites.push({ store, child, site })
    }
    for (const page of options.pages) {
      /** @type {Record<string, Paged[]>} */
      const stores = Object.fromEntries(options.stores.map(store => [store, []]))
      for (let round = 0; round <= Math.min(options.rounds, 3); round++) {
        for (const { store, child, site } of sites) {
          progress(`Express, a page that ${page}s, ${store}: ${round === 0 ? 'warming up' : `round ${round}`}`)
          await child.ask('start')
          const loaded = await load.ask('load', { ...site, page, seconds: round === 0 ? 1 : options.pageSeconds })
          const used = await child.ask('used')
          if (round > 0) stores[store].push({ ...loaded, ...used })
        }
      }
      rows.push({ page, stores: Object.fromEntries(Object.entries(stores).map(([store, all]) => [store, medians(all)])) })
    }
    for (const { child } of sites) await child.ask('close', { clear: true })
  } finally {
    await Promise.all([load, ...sites.map(({ child }) => child)].map(child => child.end()))
  }
  return rows
}

module.exports = { measurePages }
