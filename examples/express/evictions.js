'use strict'

// Remembers for a day which sessions were logged out because the user had logged in on too many devices, so that such a device can be
// told why. The session itself is gone, and its digest is all that is known of it.

const { AerospikeStore } = require('aerospike-session')

const DAY = 86_400_000

/** @param {AerospikeStore} store */
function noteEvictions (store) {
  const notes = new AerospikeStore({ client: store.client, prefix: 'evicted:' })
  store.on('evicted', ({ digest }) => {
    const cookie = { originalMaxAge: DAY, expires: new Date(Date.now() + DAY) }
    // If this fails, the page only says that the session has ended, and not why.
    notes.set(digest, /** @type {any} */ ({ cookie })).catch(() => {})
  })

  return {
    /** @param {string | undefined} cookie of a session that has ended */
    async wasEvicted (cookie) {
      const sid = idIn(cookie)
      return sid !== undefined && await notes.get(store.digestOf(sid)) !== null
    }
  }
}

/**
 * Returns the session id in a cookie. Its signature need not be checked: whoever guesses an id learns only whether it was evicted.
 * @param {string | undefined} cookie
 */
function idIn (cookie = '') {
  try {
    return /^s:([^.]+)\./.exec(decodeURIComponent(cookie))?.[1]
  } catch {
    return undefined
  }
}

module.exports = { noteEvictions }
