'use strict'

// Runs one example with Aerospike's client for Node.js: `node main.js HOSTS SET NAME`. The result is the exit code, and an error
// on stderr.

/**
 * The arguments of an example.
 * @typedef {object} Tools
 * @property {typeof import('aerospike')} aerospike
 * @property {import('aerospike').Client} client
 * @property {string} hosts
 * @property {string} set a set of its own
 * @property {string[]} namespaces
 * @property {(id: string) => import('aerospike').Key} key in that set
 * @property {(scan: any, policy?: any) => Promise<any[]>} collect
 * @property {(bin: string, datatype: number, use: () => Promise<void>) => Promise<void>} indexed
 */
/** @typedef {(tools: Tools) => Promise<void>} Example */

/** @type {Record<string, Example>} */
const EXAMPLES = { ...require('./records'), ...require('./nested'), ...require('./many'), ...require('./cluster') }

/** Returns every record of a scan. */
function collect (scan, policy) {
  return new Promise((resolve, reject) => {
    const rows = []
    const stream = scan.foreach(policy)
    stream.on('data', record => rows.push(record))
    stream.on('error', reject)
    stream.on('end', () => resolve(rows))
  })
}

/** @returns {Promise<Tools>} */
async function connect (hosts, set) {
  const aerospike = require('aerospike')
  aerospike.setDefaultLogging({ level: aerospike.log.OFF })
  const client = await aerospike.connect({ hosts })
  const namespaces = (await client.infoAny('namespaces')).split('\t')[1].trim().split(';')
  return {
    aerospike,
    client,
    hosts,
    set,
    namespaces,
    collect,
    key: id => new aerospike.Key('test', set, id),
    async indexed (bin, datatype, use) {
      const name = `${set}-${bin}`
      const job = await client.createIndex({ ns: 'test', set, bin, index: name, datatype })
      await job.wait(10)
      try {
        await use()
      } finally {
        await client.indexRemove('test', name)
      }
    }
  }
}

async function main ([hosts, set, name]) {
  const tools = await connect(hosts, set)
  try {
    await EXAMPLES[name](tools)
  } finally {
    const { client } = tools
    for (const { key } of await collect(client.scan('test', set, { nobins: true }))) await client.remove(key).catch(() => {})
    client.close(true)
  }
}

if (require.main === module) {
  main(process.argv.slice(2)).catch(error => {
    console.error(error)
    process.exitCode = 1
  })
}

module.exports = { EXAMPLES }
