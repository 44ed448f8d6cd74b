'use strict'

// Servers and stores of one test. They are closed after it, in reverse order.

const { SessionStore } = require('../..')
const { DevServer } = require('../../exports/dev-server')

/** Other cleanups to run after the test. @type {(() => any)[]} */
const cleanups = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** Starts a dev server. */
async function start (options) {
  const server = await DevServer.start(options)
  cleanups.push(() => server.stop())
  return server
}

/** Opens a store on a dev server. */
function open (server, options, Store = SessionStore) {
  const store = new Store({ hosts: server.hosts, ...options })
  cleanups.push(() => store.close())
  return store
}

module.exports = { cleanups, open, start }
