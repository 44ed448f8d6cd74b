'use strict'

// npm run bench: compares this store, its peers and the limit. docs/benchmarks.md describes what is measured and how.

const crypto = require('node:crypto')
const fs = require('node:fs')
const os = require('node:os')
const { build, runMain } = require('../scripts/build')
const { readOptions } = require('./options')
const { PEERS } = require('./peers')
const { startAerospike, startRedis, versions } = require('./servers')

let shown = ''

/** On a terminal, updates one line; otherwise prints a line for each new text. */
const progress = (/** @type {string} */ text) => {
  if (text === shown) return
  shown = text
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
  else if (text !== '') process.stderr.write(`${text}\n`)
}

/**
 * Returns the stores that can be measured on this machine.
 * @param {string[]} stores
 * @param {import('./servers').Redis | undefined} redis
 */
function possible (stores, redis) {
  const without = redis === undefined ? stores.filter(store => PEERS[store].needs === 'redis') : []
  if (without.length > 0) console.log(`Left out: ${without.join(', ')}. There is no redis-server on this machine (Debian: apt-get install redis-server).\n`)
  return stores.filter(store => !without.includes(store))
}

/** @param {string[]} servers */
function machine (servers) {
  const [cpu] = os.cpus()
  return [
    `${os.availableParallelism()} cores of ${cpu.model.trim()}, ${(os.totalmem() / 2 ** 30).toFixed(0)} GB, ${os.type()} ${os.release().split('-')[0]}`,
    `Node.js ${process.versions.node}, ${versions(['express', 'express-session', 'connect-redis', 'rate-limit-redis', 'redis', 'aerospike']).join(', ')}`,
    ...servers
  ]
}

async function bench () {
  const options = readOptions(process.argv.slice(2))
  if (options === undefined) return
  build()
  // Required here, because they need what build() installs.
  const { PARTS } = require('./parts')
  const { LEGEND } = require('./table')
  const { describeTarget } = require('./target')
  const aerospike = await startAerospike()
  const redis = options.stores.some(store => PEERS[store].needs === 'redis') ? await startRedis() : undefined
  try {
    options.stores = possible(options.stores, redis)
    const places = { hosts: aerospike.hosts, redis: redis?.url ?? '', set: `bench-${crypto.randomBytes(4).toString('hex')}` }
    const head = machine([aerospike.name, redis?.name].filter(name => name !== undefined))
    if (options.json !== '-') console.log(`${head.join('\n')}\n`)
    /** @type {import('./parts').Results} */
    const results = {}
    const parts = options.soak > 0 ? ['soak'] : options.only
    for (const part of parts) results[part] = await PARTS[part].measure(options, places, progress)
    progress('')
    const checked = parts.flatMap(part => PARTS[part].targets(results[part])).filter(({ measured, bound }) => Number.isFinite(measured) && Number.isFinite(bound))
    const everything = JSON.stringify({ machine: head, ...results, targets: checked }, null, 2)
    if (options.json === '-') return console.log(everything)
    const tables = parts.flatMap(part => PARTS[part].tables(results[part]))
    if (tables.some(table => table.includes('M / R / O'))) tables.push(LEGEND)
    console.log(`${tables.join('\n\n')}\n\nTargets\n`)
    for (const target of checked) console.log(describeTarget(target))
    if (options.json) fs.writeFileSync(options.json, `${everything}\n`)
    if (options.plot) await require('./plot').plot(results, options.plot)
  } finally {
    await redis?.stop()
    await aerospike.stop()
  }
}

runMain(bench)
