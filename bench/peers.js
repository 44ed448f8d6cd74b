'use strict'

// The stores that are compared, and how each is opened: as its own documentation has it.

/**
 * @typedef {{ hosts: string, redis: string, set: string }} Places where the servers are, and a set of the store's own
 * @typedef {import('express-session').Store} Store
 * @typedef {{ store: Store, close: (clear: boolean) => Promise<void> }} Opened
 * @typedef {{ title: string, ours?: boolean, needs?: 'redis', package?: string, open: (places: Places) => Promise<Opened> }} Peer
 */

/** @param {'map' | 'json'} format */
function ours (format) {
  return async (/** @type {Places} */ { hosts, set }) => {
    const { AerospikeStore } = require('..')
    const store = new AerospikeStore({ hosts, set, format })
    await store.ready()
    return {
      store,
      close: async (/** @type {boolean} */ clear) => {
        if (clear) await store.clear()
        await store.close()
      }
    }
  }
}

/** @param {'map' | 'json'} format */
function official (format) {
  return async (/** @type {Places} */ { hosts, set }) => {
    const { loadAerospike } = require('./untyped')
    const { OfficialStore } = require('./official-store')
    const aerospike = loadAerospike()
    // It refuses operations beyond its connections, 100 by default.
    const client = await aerospike.connect({ hosts, maxConnsPerNode: 1_024, log: { level: aerospike.log.OFF } })
    return {
      store: new OfficialStore(client, set, format),
      close: async (/** @type {boolean} */ clear) => {
        if (clear) await client.truncate('test', set, 0)
        client.close()
      }
    }
  }
}

/** @type {Record<string, Peer>} */
const PEERS = {
  memory: {
    title: 'MemoryStore',
    package: 'express-session',
    open: async () => {
      const { MemoryStore } = require('express-session')
      return { store: new MemoryStore(), close: async () => {} }
    }
  },
  map: { title: 'this store, map', ours: true, open: ours('map') },
  json: { title: 'this store, json', ours: true, open: ours('json') },
  redis: {
    title: 'connect-redis',
    needs: 'redis',
    package: 'connect-redis',
    open: async ({ redis }) => {
      const { createClient } = require('redis')
      const { RedisStore } = require('connect-redis')
      const client = createClient({ url: redis })
      await client.connect()
      return { store: new RedisStore({ client }), close: async () => { await client.close() } }
    }
  },
  official: { title: 'official client, JSON', package: 'aerospike', open: official('json') },
  'official-map': { title: 'official client, map', package: 'aerospike', open: official('map') }
}

module.exports = { PEERS }
