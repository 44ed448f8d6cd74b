'use strict'

// Servers and stores of one test, closed after it, the last opened first.

const { SessionStore } = require('../..')
const { DevServer } = require('../../exports/dev-server')

/** What else is to be undone after the test. @type {(() => any)[]} */
const cleanups = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** A dev server. */
async function start (options) {
  const server = await DevServer.start(options)
  cleanups.push(() => server.stop())
  return server
}

/** A store on a dev server. */
function open (server, options, Store = SessionStore) {
  const store = new Store({ hosts: server.hosts, ...options })
  cleanups.push(() => store.close())
  return store
}

module.exports = { cleanups, open, start }
