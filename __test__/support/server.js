'use strict'

// The server for the test suite: the dev server that global-setup.js started, or, with AEROSPIKE_HOSTS, a real cluster. Each
// file uses its own set and leaves it empty.

const crypto = require('node:crypto')
const { AerospikeStore, SessionStore } = require('../..')

/** @returns {string} */
function hosts () {
  const found = process.env.TEST_HOSTS ?? process.env.AEROSPIKE_HOSTS
  if (found === undefined) throw new Error('run the suite with npm test: it starts the server')
  return found
}

/** Returns the name of an unused set. */
function freshSet () {
  return `t-${crypto.randomBytes(8).toString('hex')}`
}

/** @type {(() => Promise<void>)[]} */
const cleanups = []

/**
 * Removes everything that a store of this set with these options wrote, and closes it, after all tests of the file.
 */
function cleanUp (store, client = store) {
  cleanups.push(async () => {
    await store.clear()
    await store.close()
    await client.close()
  })
}

/** Opens a SessionStore on a fresh set, unless the options name one. */
function openSessions (options = {}) {
  const all = { hosts: hosts(), set: freshSet(), ...options }
  const sessions = new SessionStore(all)
  const { ttl, ...connection } = all
  cleanUp(new AerospikeStore(connection), sessions)
  return sessions
}

/** Opens an AerospikeStore on a fresh set, unless the options name one. */
function openStore (options = {}) {
  const store = new AerospikeStore({ hosts: hosts(), set: freshSet(), ...options })
  cleanUp(store)
  return store
}

/** Returns true if the server has the namespace that refuses TTLs. */
async function hasNoTtlNamespace () {
  const sessions = new SessionStore({ hosts: hosts(), namespace: 'nottl', set: freshSet(), timeout: 1_000 })
  sessions.on('warning', () => {})
  try {
    await sessions.has('any')
    return true
  } catch (error) {
    if (error.code === 'NAMESPACE') return false
    throw error
  } finally {
    await sessions.close()
  }
}

if (typeof afterAll === 'function') {
  afterAll(async () => {
    for (const cleanup of cleanups) await cleanup()
  })
}

module.exports = { hosts, freshSet, openSessions, openStore, hasNoTtlNamespace }
