'use strict'

// The charts: one SVG per figure, for docs/benchmarks.md.

const fs = require('node:fs')
const path = require('node:path')
const { PEERS } = require('./peers')
const { loadVega } = require('./untyped')

/** @typedef {{ file: string, title: string, spec: object }} Chart */

const COLOURS = { MemoryStore: '#9aa0a6', 'this store, map': '#c4281c', 'this store, json': '#e8833a', 'connect-redis': '#3b6fb6', 'official client, JSON': '#4f9d69', 'official client, map': '#a3cfb0', 'bare Rust': '#444444' }

/** @param {string} field */
function colour (field) {
  return { field, type: 'nominal', title: null, sort: null, scale: { domain: Object.keys(COLOURS), range: Object.values(COLOURS) } }
}

/**
 * Creates a chart of lines over the number of operations in flight.
 *
 * @param {string} title
 * @param {object[]} values of `depth`, `store` and `value`
 * @param {string} unit
 */
function overDepth (title, values, unit) {
  return {
    title,
    width: 460,
    height: 260,
    data: { values },
    mark: { type: 'line', point: true },
    encoding: {
      x: { field: 'depth', type: 'quantitative', title: 'operations in flight', scale: { type: 'log', base: 2 }, axis: { values: [...new Set(values.map(value => /** @type {any} */ (value).depth))] } },
      y: { field: 'value', type: 'quantitative', title: unit, scale: { type: 'log' } },
      color: colour('store')
    }
  }
}

/**
 * @param {import('./stores').Row[]} rows those of one size and mix
 * @param {string} title
 * @param {string} file
 * @returns {Chart[]}
 */
function storeCharts (rows, title, file) {
  const each = (/** @type {(measured: import('./stores').Measured) => number} */ figure) => rows.flatMap(({ depth, stores }) =>
    Object.entries(stores).map(([store, measured]) => ({ depth, store: PEERS[store].title, value: figure(measured) })))
  const limits = rows.flatMap(({ depth, limit }) => limit === undefined
    ? []
    : [{ depth, store: 'bare Rust', value: Math.max(limit.single.throughput, limit.batched.throughput) }])
  return [
    { file: `throughput-${file}`, title, spec: overDepth(`Throughput, ${title}`, [...each(({ throughput }) => throughput), ...limits], 'operations per second') },
    { file: `js-time-${file}`, title, spec: overDepth(`Time of the JavaScript thread, ${title}`, each(({ jsUs }) => jsUs), 'microseconds per operation') },
    { file: `p99-${file}`, title, spec: overDepth(`99th percentile, ${title}`, each(({ p99 }) => p99), 'microseconds') }
  ]
}

/**
 * @param {import('./pages').PageRow[]} pages
 * @returns {Chart}
 */
function pagesChart (pages) {
  const values = pages.flatMap(({ page, stores }) => Object.entries(stores).map(([store, { perSecond }]) => ({ page: `a page that ${page}s`, store: PEERS[store].title, value: perSecond })))
  const title = 'Pages per second of an Express site'
  return {
    file: 'express',
    title,
    spec: {
      title,
      width: 460,
      height: 260,
      data: { values },
      mark: 'bar',
      encoding: {
        x: { field: 'page', type: 'nominal', title: null, axis: { labelAngle: 0 } },
        xOffset: { field: 'store', sort: Object.keys(COLOURS) },
        y: { field: 'value', type: 'quantitative', title: 'pages per second' },
        color: colour('store')
      }
    }
  }
}

/**
 * @param {import('./parts').Results} results
 * @param {string} folder
 */
async function plot ({ stores: rows = [], pages = [] }, folder) {
  const kinds = [...new Set(rows.map(({ size, mix }) => `${size} ${mix}`))]
  const charts = kinds.flatMap(kind => {
    const [size, mix] = kind.split(' ')
    return storeCharts(rows.filter(row => `${row.size} ${row.mix}` === kind), `${size} kB, ${mix}`, `${size}kB-${mix}`)
  })
  if (pages.length > 0) charts.push(pagesChart(pages))
  const { vega, vegaLite } = await loadVega()
  fs.mkdirSync(folder, { recursive: true })
  for (const { file, spec } of charts) {
    const { spec: compiled } = vegaLite.compile({ ...spec, background: 'white', config: { font: 'sans-serif' } })
    const view = new vega.View(vega.parse(compiled), { renderer: 'none' })
    fs.writeFileSync(path.join(folder, `${file}.svg`), `${await view.toSVG()}\n`)
    view.finalize()
  }
  console.log(`\n${charts.length} charts in ${folder}`)
}

module.exports = { plot }
