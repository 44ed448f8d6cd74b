'use strict'

// The dev server in its own process, so that it can be killed as a whole and takes no time from the load.

const { AerospikeStore, SessionStore } = require('../..')
const { DevServer } = require('../../exports/dev-server')
const { serve } = require('./child')

/** Bytes of a record that fills the memory. */
const BULK = 500_000

/** @type {DevServer} */
let server

serve({
  /** @param {import('../../exports/dev-server').DevServerOptions} options */
  async start (options) {
    server = await DevServer.start(options)
    return server.hosts
  },
  /** @param {{ node: number }} options */
  stopNode: ({ node }) => server.stopNode(node),
  /** @param {{ node: number }} options */
  startNode: ({ node }) => server.startNode(node),
  settled: () => server.settled(),
  /** @param {import('../../exports/dev-server').FaultOptions} fault */
  async inject (fault) { await server.inject(fault) },
  clear: () => server.clearFaults(),
  /** @param {import('../../exports/dev-server').NamespaceSettings} settings */
  configure: settings => server.configure('test', settings),

  /** Fills the memory until writes are rejected. */
  async fill () {
    const sessions = new SessionStore({ hosts: server.hosts, set: 'filler' })
    try {
      for (let n = 0; ; n++) await sessions.save(`bulk-${n}`, { bulk: 'x'.repeat(BULK) })
    } catch (error) {
      if (/** @type {any} */ (error).resultCode !== 8) throw error
    } finally {
      await sessions.close()
    }
  },

  async empty () {
    const store = new AerospikeStore({ hosts: server.hosts, set: 'filler' })
    await store.clear()
    await store.close()
  },

  stop: () => server.stop()
})
