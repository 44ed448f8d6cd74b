'use strict'

// Packages whose types are missing or do not pass `tsc --strict`. They are typed as `any`.

const { createRequire } = require('node:module')

const load = createRequire(__filename)

/** Aerospike's client. */
function loadAerospike () {
  const aerospike = load('aerospike')
  aerospike.setDefaultLogging({ level: aerospike.log.OFF })
  return aerospike
}

/** @returns {(options: object) => Promise<any>} */
function loadAutocannon () {
  return load('autocannon')
}

/** The packages that draw the charts. Both are ES modules. */
async function loadVega () {
  const [vega, vegaLite] = await Promise.all(['vega', 'vega-lite'].map(name => import(name)))
  return { vega, vegaLite }
}

module.exports = { loadAerospike, loadAutocannon, loadVega }
