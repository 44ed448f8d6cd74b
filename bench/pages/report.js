'use strict'

// The tables and targets for the stores in Express.

const { PEERS } = require('../peers')
const { markdown, ratios, short } = require('../table')
const { OURS } = require('../target')

/** @param {import('./index').PageRow} row */
function pagesTable ({ page, stores }) {
  const lines = Object.entries(stores).map(([store, one]) => [
    PEERS[store].title, short(one.perSecond), ratios(stores, one, ({ perSecond }) => perSecond),
    short(one.jsUs), short(one.cpuUs), `${(one.utilisation * 100).toFixed(0)} %`, String(one.p50), String(one.p99)
  ])
  const head = ['store', 'pages/s', 'to M / R / O', 'JS us', 'CPU us', 'loop busy', 'p50 ms', 'p99 ms']
  return `**Express, a page that ${page}s the session, 64 connections**\n\n${markdown([head, ...lines])}`
}

/** @param {import('./index').PageRow[]} pages */
function tables (pages) {
  return pages.map(pagesTable)
}

/**
 * @param {import('./index').PageRow[]} pages
 * @returns {import('../target').Target[]}
 */
function targets (pages) {
  return OURS.flatMap(store => onPages(pages, store))
}

/**
 * @param {import('./index').PageRow[]} pages
 * @param {string} store
 * @returns {import('../target').Target[]}
 */
function onPages (pages, store) {
  return pages.flatMap(({ page, stores }) => Object.entries({ memory: page === 'read' ? 0.85 : 0.8, redis: 1.3 }).map(([peer, bound]) => ({
    name: `${PEERS[store].title}: pages per second to ${PEERS[peer].title}, ${page}`,
    measured: (stores[store]?.perSecond ?? NaN) / (stores[peer]?.perSecond ?? NaN),
    bound,
    kind: /** @type {const} */ ('least')
  })))
}

module.exports = { tables, targets }
