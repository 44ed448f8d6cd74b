'use strict'

// The stores that are compared, each opened as its documentation describes.

/**
 * @typedef {{ hosts: string, redis: string, set: string }} Places where the servers are, and a set of the store's own
 * @typedef {import('express-session').Store} Store
 * @typedef {{ store: Store, close: (clear: boolean) => Promise<void> }} Opened
 * @typedef {{ title: string, everyday?: boolean, needs?: 'redis', open: (places: Places) => Promise<Opened> }} Peer
 * `everyday`: measured for everyday load only
 */

/** @param {object} options */
function ours (options) {
  return async (/** @type {Places} */ { hosts, set }) => {
    const { AerospikeStore } = require('..')
    const store = new AerospikeStore({ hosts, set, ...options })
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
    // The client rejects operations beyond its connections, 100 by default.
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
    open: async () => {
      const { MemoryStore } = require('express-session')
      return { store: new MemoryStore(), close: async () => {} }
    }
  },
  map: { title: 'this store, map', open: ours({ format: 'map' }) },
  json: { title: 'this store, json', open: ours({ format: 'json' }) },
  // The server extends a session that is read, so express-session's touch at the end of the request is not written.
  'map-on-read': { title: 'this store, map, touchOnRead', everyday: true, open: ours({ format: 'map', touchOnRead: 80 }) },
  'json-on-read': { title: 'this store, json, touchOnRead', everyday: true, open: ours({ format: 'json', touchOnRead: 80 }) },
  redis: {
    title: 'connect-redis',
    needs: 'redis',
    open: async ({ redis }) => {
      const { createClient } = require('redis')
      const { RedisStore } = require('connect-redis')
      const client = createClient({ url: redis })
      await client.connect()
      return { store: new RedisStore({ client }), close: async () => { await client.close() } }
    }
  },
  official: { title: 'official client, JSON', open: official('json') },
  'official-map': { title: 'official client, map', open: official('map') }
}

/**
 * Returns the stores that are measured for more than everyday load.
 * @param {string[]} stores
 */
function ofEveryPart (stores) {
  return stores.filter(store => !PEERS[store].everyday)
}

module.exports = { PEERS, ofEveryPart }
