'use strict'

// Aerospike's client as a session store: a replacement for aerospike-session-store 0.4.0, whose own client can no longer be
// installed. The session is JSON in one bin, or a native map.

const { Store } = require('express-session')
const { loadAerospike } = require('./untyped')

const aerospike = loadAerospike()

/** @typedef {(error?: any, value?: any) => void} Callback */

class OfficialStore extends Store {
  /**
   * @param {any} client
   * @param {string} set
   * @param {'map' | 'json'} format
   */
  constructor (client, set, format) {
    super()
    this.client = client
    this.set_ = set
    this.native = format === 'map'
  }

  /** @param {string} sid */
  key (sid) {
    return new aerospike.Key('test', this.set_, sid)
  }

  /**
   * @param {string} sid
   * @param {Callback} callback
   */
  get (sid, callback) {
    this.client.get(this.key(sid), (/** @type {any} */ error, /** @type {any} */ record) => {
      if (error) return error.code === aerospike.status.ERR_RECORD_NOT_FOUND ? callback() : callback(error)
      const { session } = record.bins
      callback(null, this.native ? session : JSON.parse(session))
    })
  }

  /**
   * @param {string} sid
   * @param {any} session
   * @param {Callback} callback
   */
  set (sid, session, callback) {
    const stored = this.native ? plain(session) : JSON.stringify(session)
    this.client.put(this.key(sid), { session: stored }, { ttl: ttl(session) }, (/** @type {any} */ error) => callback(error))
  }

  /**
   * @param {string} sid
   * @param {any} session
   * @param {Callback} callback
   */
  touch (sid, session, callback) {
    const operations = [aerospike.operations.touch(ttl(session))]
    this.client.operate(this.key(sid), operations, (/** @type {any} */ error) => callback(error))
  }

  /**
   * @param {string} sid
   * @param {Callback} callback
   */
  destroy (sid, callback) {
    this.client.remove(this.key(sid), (/** @type {any} */ error) => callback(error))
  }
}

/**
 * Returns the session with values that the client can store.
 * @param {any} session
 */
function plain ({ cookie, ...data }) {
  const { expires, ...rest } = cookie.toJSON?.() ?? cookie
  return { ...data, cookie: { ...rest, expires: new Date(expires).toISOString() } }
}

/**
 * Returns the TTL in seconds.
 * @param {any} session
 */
function ttl ({ cookie }) {
  return Math.ceil((new Date(cookie.expires).getTime() - Date.now()) / 1_000)
}

module.exports = { OfficialStore }
