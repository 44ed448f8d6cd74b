'use strict'

// Aerospike's Node.js client in its own process: it can be loaded only once per process, and jest gives each test file a new
// copy of every module.

const { fork } = require('node:child_process')
const { once } = require('node:events')

const METHODS = {
  get: (client, key) => client.get(key).then(({ bins, ttl, gen, key }) => ({ bins, ttl, gen, digest: key.digest.toString('hex') })),
  put: (client, key, bins, ttl) => client.put(key, bins, { ttl }).then(() => null),
  // Only if the record exists.
  update: (client, key, bins, ttl, { policy, status, WritePolicy }) => client.put(key, bins, { ttl }, new WritePolicy({ exists: policy.exists.UPDATE }))
    .then(() => true, error => { if (error.code !== status.ERR_RECORD_NOT_FOUND) throw error }),
  touch: (client, key, ttl, { operations }) => client.operate(key, [operations.touch(ttl)]).then(() => null),
  exists: (client, key) => client.exists(key),
  // This client returns maps with string keys only. So the test asks which of these keys exist, with their types, and how many keys there are.
  mapOf: async (client, key, bin, names, { maps }) => {
    const values = await Promise.all(names.map(name => client.operate(key, [maps.getByKey(bin, name, maps.returnType.VALUE)])))
    const { bins } = await client.operate(key, [maps.size(bin)])
    return { size: bins[bin], found: new Map(names.map((name, n) => [name, values[n].bins[bin]]).filter(([, value]) => value !== null)) }
  },
  indexesOf: async (client, { ns }, set) => {
    const list = await client.infoAny(`sindex-list:ns=${ns}`)
    return list.split(/[;\n]/).filter(line => line.includes(`set=${set}:`)).map(line => /indexname=([^:]+)/.exec(line)[1])
  },
  createIndex: (client, { ns, set }, bin, index) => client.createStringIndex({ ns, set, bin, index }).then(job => job.wait(50)).then(() => null),
  removeIndex: (client, { ns }, name) => client.indexRemove(ns, name).then(() => null)
}

/** In the parent: a client with the methods above, on keys `[namespace, set, id]`. */
class OfficialClient {
  #waiting = new Map()
  #calls = 0

  /** `options`: for its Config, in addition to `hosts`. */
  static async connect (hosts, options = {}) {
    const client = new OfficialClient()
    client.child = fork(__filename, [hosts, JSON.stringify(options)], { serialization: 'advanced' })
    client.child.on('message', ({ call, value, code }) => {
      const { resolve, reject } = client.#waiting.get(call)
      client.#waiting.delete(call)
      if (code === undefined) resolve(value)
      else reject(Object.assign(new Error(`the official client answered ${code}`), { code }))
    })
    try {
      await client.#ask('connect')
      return client
    } catch (error) {
      await client.close()
      throw error
    }
  }

  #ask (method, ...args) {
    return new Promise((resolve, reject) => {
      const call = this.#calls++
      this.#waiting.set(call, { resolve, reject })
      this.child.send({ call, method, args })
    })
  }

  get (...key) { return this.#ask('get', key) }
  put (key, bins, ttl) { return this.#ask('put', key, bins, ttl) }
  update (key, bins, ttl) { return this.#ask('update', key, bins, ttl) }
  touch (key, ttl) { return this.#ask('touch', key, ttl) }
  mapOf (key, bin, names) { return this.#ask('mapOf', key, bin, names) }
  exists (...key) { return this.#ask('exists', key) }
  indexesOf (set) { return this.#ask('indexesOf', ['test', 'any', 'any'], set) }
  createIndex (namespace, set, bin, name) { return this.#ask('createIndex', [namespace, set, 'any'], bin, name) }
  removeIndex (namespace, name) { return this.#ask('removeIndex', [namespace, 'any', 'any'], name) }

  async close () {
    this.child.disconnect()
    await once(this.child, 'exit')
  }
}

/** In the child. */
async function serve () {
  const aerospike = require('aerospike')
  aerospike.setDefaultLogging({ level: aerospike.log.OFF })
  const [hosts, options] = process.argv.slice(2)
  const connecting = aerospike.connect({ hosts, ...JSON.parse(options) })
  // The first request gets the reason if there is no client.
  connecting.catch(() => {})
  process.on('disconnect', () => connecting.then(client => client.close(true), () => process.exit()))
  process.on('message', async ({ call, method, args: [key, ...args] }) => {
    try {
      const client = await connecting
      const value = method === 'connect' ? null : await METHODS[method](client, new aerospike.Key(...key), ...args, aerospike)
      process.send({ call, value })
    } catch (error) {
      process.send({ call, code: error.code ?? error.message })
    }
  })
}

if (require.main === module) serve()

module.exports = { OfficialClient }
