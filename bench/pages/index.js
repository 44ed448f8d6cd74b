'use strict'

// The stores in a real Express site: pages per second, and the 99th percentile of their latencies.

const { Child } = require('../child')
const { mediansOfEach } = require('../medians')
const { ofEveryPart } = require('../peers')
const { inRounds } = require('../rounds')
const { Sites } = require('./sites')

/**
 * @typedef {import('../clocks').Used & { requests: number, perSecond: number, p50: number, p99: number }} Paged
 *   latencies in milliseconds
 * @typedef {{ page: string, stores: Record<string, Paged> }} PageRow
 */

/**
 * @param {import('../options').Options} options
 * @param {import('../peers').Places} places
 * @param {import('../parts').Progress} progress
 * @returns {Promise<PageRow[]>}
 */
async function measure (options, places, progress) {
  if (options.pages.length === 0) return []
  const sites = new Sites({ ...places, set: `${places.set}-site` })
  const load = new Child('pages/load-process.js', [])
  /** @type {PageRow[]} */
  const rows = []
  try {
    const stores = ofEveryPart(options.stores)
    await sites.open(stores)
    for (const page of options.pages) {
      const rounds = await inRounds(stores, Math.min(options.rounds, 3), (store, round) => {
        progress(`Express, a page that ${page}s, ${store}: ${round === 0 ? 'warming up' : `round ${round}`}`)
        return sites.under(store, site => load.ask('load', { ...site, page, seconds: round === 0 ? 1 : options.pageSeconds }))
      })
      rows.push({ page, stores: mediansOfEach(rounds) })
    }
    await sites.close()
  } finally {
    await Promise.all([load.end(), sites.end()])
  }
  return rows
}

module.exports = { measure, ...require('./report') }
