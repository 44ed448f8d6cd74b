'use strict'

// Aerospike's session-store recipe for Node.js: sessions as plain data, without Express.

const { EventEmitter } = require('node:events')
const { now } = require('../clock')
const { Connection, operations, optional, quiet } = require('../connection')
const { sessionJson } = require('../json')
const { callOptions, sessionStoreOptions } = require('../options/options')
const { debug } = require('../tracing')
const { warn } = require('../warnings')

const ASYNC_DISPOSE = Symbol.asyncDispose ?? Symbol.for('nodejs.asyncDispose')

class SessionStore extends EventEmitter {
  #connection
  #json
  #ttl
  /** @type {boolean | undefined} */
  #up

  /** @param {import('../../index').SessionStoreOptions} [options] */
  constructor (options) {
    super()
    const { ask, cluster, json, ttl, view } = sessionStoreOptions(options)
    this.#ttl = ttl
    this.#json = sessionJson(json.replacer, json.reviver, false)
    this.#connection = Connection.open(this, cluster, view, (self, notice, words) => self.#onNotice(notice, words), ask, this.#json)
  }

  get ttl () {
    return this.#ttl
  }

  get connected () {
    return this.#connection.isClosed ? false : this.#up
  }

  /**
   * @param {any} id
   * @param {any} data
   * @param {any} [options]
   * @param {any} [callback]
   */
  save (id, data, options, callback) {
    if (typeof options === 'function') [options, callback] = [undefined, options]
    const done = optional(callback)
    return quiet(this.#connection.attempt(operations.save, done, () => {
      const expires = this.#expires(options)
      const json = this.#json.stringify(data)
      return this.#connection.sessionRequest(operations.save, id, done, JSON.parse, (handle, slot) => {
        operations.save.entry(handle, slot, id, json, expires)
      })
    }), arguments.length > 3)
  }

  /**
   * @param {any} id
   * @param {any} [callback]
   */
  get (id, callback) {
    return quiet(this.#connection.sessionRequest(operations.get, id, optional(callback), json => this.#json.parse(json)), arguments.length > 1)
  }

  /**
   * @param {any} id
   * @param {any} [options]
   * @param {any} [callback]
   */
  touch (id, options, callback) {
    if (typeof options === 'function') [options, callback] = [undefined, options]
    const done = optional(callback)
    return quiet(this.#connection.attempt(operations.touch, done, () => {
      const expires = this.#expires(options)
      return this.#connection.sessionRequest(operations.touch, id, done, JSON.parse, (handle, slot) => {
        operations.touch.entry(handle, slot, id, expires)
      })
    }), arguments.length > 2)
  }

  /**
   * @param {any} id
   * @param {any} [callback]
   */
  delete (id, callback) {
    return quiet(this.#connection.sessionRequest(operations.remove, id, optional(callback), JSON.parse), arguments.length > 1)
  }

  /**
   * @param {any} id
   * @param {any} [callback]
   */
  has (id, callback) {
    return quiet(this.#connection.sessionRequest(operations.has, id, optional(callback), JSON.parse), arguments.length > 1)
  }

  stats () {
    return this.#connection.stats()
  }

  /** @param {any} [callback] */
  ready (callback) {
    return quiet(this.#connection.request(operations.ready, optional(callback)), arguments.length > 0)
  }

  /** @param {any} [callback] */
  close (callback) {
    return quiet(this.#connection.close(optional(callback)), arguments.length > 0)
  }

  [ASYNC_DISPOSE] () {
    return this.close()
  }

  /**
   * Returns when a session that is written now expires, in milliseconds since 1970.
   * @param {any} options
   */
  #expires (options) {
    return Math.ceil(now() + (callOptions(options).ttl ?? this.#ttl) * 1_000)
  }

  /**
   * @param {string} notice
   * @param {string | null} words
   */
  #onNotice (notice, words) {
    if (notice !== 'UP' && notice !== 'DOWN') {
      debug('warning %s', notice)
      return warn(this, notice, words)
    }
    this.#up = notice === 'UP'
    if (debug.enabled) debug('%s', this.#up ? `up: ${this.#nodes()}` : 'down')
    this.emit(this.#up ? 'up' : 'down')
  }

  #nodes () {
    return this.stats().nodes.map(({ name, address, active }) => `${name} ${address}${active ? '' : ' (inactive)'}`).join(', ')
  }
}

module.exports = { SessionStore, ASYNC_DISPOSE }
