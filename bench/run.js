'use strict'

// npm run bench: this store, its peers and the limit, side by side. What is measured and how: docs/benchmarks.md.

const crypto = require('node:crypto')
const fs = require('node:fs')
const os = require('node:os')
const { build, runMain } = require('../scripts/build')
const { readOptions } = require('./options')
const { PEERS } = require('./peers')
const { startAerospike, startRedis, versions } = require('./servers')

/** One line, always the same, on a terminal; elsewhere nothing but the results is worth a line. */
const progress = (/** @type {string} */ text) => {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
  else if (text !== '') process.stderr.write(`${text}\n`)
}

/**
 * The stores that can be measured on this machine.
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
    `Node.js ${process.versions.node}, ${versions(['express', 'express-session', 'connect-redis', 'redis', 'aerospike']).join(', ')}`,
    ...servers
  ]
}

async function bench () {
  const options = readOptions(process.argv.slice(2))
  if (options === undefined) return
  build()
  // They need what build() installs.
  const { measureStores } = require('./rounds')
  const { measurePages } = require('./pages')
  const { soak } = require('./soak')
  const { tables } = require('./table')
  const { targets, tell } = require('./targets')
  const aerospike = await startAerospike()
  const redis = options.stores.some(store => PEERS[store].needs === 'redis') ? await startRedis() : undefined
  try {
    options.stores = possible(options.stores, redis)
    const places = { hosts: aerospike.hosts, redis: redis?.url ?? '', set: `bench-${crypto.randomBytes(4).toString('hex')}` }
    const head = machine([aerospike.name, redis?.name].filter(name => name !== undefined))
    if (options.json !== '-') console.log(`${head.join('\n')}\n`)
    /** @type {import('./table').Results} */
    const results = options.soak > 0
      ? { machine: head, rows: [], pages: [], soaked: await soak(options, places, progress) }
      : { machine: head, rows: await measureStores(options, places, progress), pages: await measurePages(options, places, progress), soaked: [] }
    progress('')
    const judged = targets(results)
    if (options.json === '-') return console.log(JSON.stringify({ ...results, targets: judged }, null, 2))
    console.log(`${tables(results)}\n\nTargets\n`)
    for (const target of judged) console.log(tell(target))
    if (options.json) fs.writeFileSync(options.json, `${JSON.stringify({ ...results, targets: judged }, null, 2)}\n`)
    if (options.plot) await require('./plot').plot(results, options.plot)
  } finally {
    await redis?.stop()
    await aerospike.stop()
  }
}

runMain(bench)
