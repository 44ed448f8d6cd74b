'use strict'

// A connection: an open store of the core together with one view (namespace, set and record options). It checks every
// request: the store must be open and the session id valid. The result goes to a callback or a promise.

const { askFor } = require('./options/auth')
const { nextTick } = require('./clock')
const { EventForwarder } = require('./event-forwarder')
const hub = require('./bridge/hub')
const operations = require('./operations')
const ownConnections = require('./many-stores')
const { AerospikeSessionError, badKey, badOption, closed } = require('./errors')
const { serialize } = require('./options/secrets')
const { debug, trace } = require('./tracing')
const { idFault, type } = require('./options/validate')
const { Watches } = require('./watches')

const { native } = hub

/**
 * @typedef {import('./bridge/hub').Callback} Callback
 * @typedef {import('./bridge/hub').Decode} Decode
 * @typedef {import('./bridge/hub').Enter} Enter
 * @typedef {import('./bridge/hub').Write} Write
 * @typedef {import('./bridge/native-types').StoreHandle} StoreHandle
 * @typedef {import('./options/options').ViewOptions} ViewOptions
 * @typedef {import('./tracing').Operation} Operation
 * @typedef {Map<string, Map<import('../index').AerospikeSessionErrorCode, number>>} Failures by method and code
 * @typedef {{ handle: StoreHandle, notices: number, closed: boolean, uncount: () => void, failures: Failures, ask?: () => any,
 *   closing?: Promise<void>, events: EventForwarder, watches: Watches }} Shared
 */

/** @type {WeakMap<object, Connection>} */
const connections = new WeakMap()
/**
 * Keeps the shared state alive as long as its handle. Requests in flight hold the handle.
 * @type {WeakMap<StoreHandle, Shared>}
 */
const sharedByHandle = new WeakMap()

class Connection {
  #handle
  #shared

  /**
   * @param {StoreHandle} handle
   * @param {Shared} shared state that all views of a store share
   * @param {ViewOptions} view
   * @param {import('./json').SessionJson} json
   */
  constructor (handle, shared, view, json) {
    this.#handle = handle
    this.#shared = shared
    this.view = view
    this.json = json
    sharedByHandle.set(handle, shared)
  }

  /**
   * Opens a store for its owner. The listener receives the store's notices until the owner is garbage collected.
   *
   * @template {object} T
   * @param {T} owner
   * @param {import('./options/options').ClusterOptions} cluster
   * @param {ViewOptions} view
   * @param {(owner: T, notice: string, words: string | null) => void} listener
   * @param {(() => any) | undefined} ask returns the user and password
   * @param {import('./json').SessionJson} json
   */
  static open (owner, cluster, view, listener, ask, json) {
    // Weak references, so that an unused store is garbage collected and closes.
    const weakOwner = new WeakRef(owner)
    const { handle, notices } = hub.openStore(cluster, view, ({ notice, words, credentialRequest, gone, expired }) => {
      const owner = weakOwner.deref()
      if (credentialRequest !== undefined) Connection.#giveCredentials(weakShared.deref(), credentialRequest)
      else if (notice === 'ENDED') weakShared.deref()?.watches.end(gone, expired)
      else if (owner !== undefined) listener(owner, notice, words)
    })
    // Does not log the hosts: a host may be a URL that contains a login.
    debug('connecting, by way of %d host%s', cluster.hosts.length, cluster.hosts.length === 1 ? '' : 's')
    const shared = {
      handle, notices, closed: false, failures: new Map(), uncount: ownConnections.count(cluster.hosts), ask, events: new EventForwarder(), watches: new Watches(handle)
    }
    const weakShared = new WeakRef(shared)
    const connection = new Connection(handle, shared, view, json)
    connections.set(owner, connection)
    return connection
  }

  /**
   * Returns the connection of a SessionStore.
   * @param {object} store
   */
  static of (store) {
    return connections.get(store)
  }

  /** Forwards the store's events to the stores that share it. */
  get events () {
    return this.#shared.events
  }

  /**
   * Returns a connection to the same store with another view.
   * @param {ViewOptions} view
   * @param {import('./json').SessionJson} json
   */
  withView (view, json) {
    return new Connection(native.openView(this.#handle, serialize(view)), this.#shared, view, json)
  }

  /**
   * Returns a connection to the counters of a limiter, in the same namespace. Its requests are those of rate limits only. Keys are
   * hashed if session ids are.
   *
   * @param {string} set
   * @param {string} prefix
   */
  withLimits (set, prefix) {
    const { hashIds, namespace } = this.view
    if (set === this.view.set) throw badOption("option 'set' must not be the set of the sessions")
    const handle = native.openLimits(this.#handle, serialize({ namespace, set, prefix, hashIds }))
    return new Connection(handle, this.#shared, { ...this.view, set, prefix }, this.json)
  }

  /**
   * Returns the digest of a session id, as events show it.
   * @param {any} id
   * @returns {string}
   */
  digestOf (id) {
    const fault = idFault(id)
    if (fault !== undefined) throw badKey(fault)
    return native.digestOf(this.#handle, id)
  }

  /**
   * Makes a request that is not about a single session.
   *
   * @param {Operation} operation
   * @param {Callback | undefined} callback
   * @param {any[]} [args] of the operation's entry point
   * @param {Decode} [decode]
   */
  request (operation, callback, args = [], decode = JSON.parse) {
    if (this.#shared.closed) return this.fail(operation, closed(), callback)
    return this.#request(operation, callback, decode, (handle, slot) => operation.entry(handle, slot, ...args))
  }

  /**
   * Makes a request about one session.
   *
   * @param {Operation} operation
   * @param {any} id
   * @param {Callback | undefined} callback
   * @param {Decode | Write} decode
   * @param {Enter} [enter] calls the operation's entry point, if that takes more than the id
   */
  sessionRequest (operation, id, callback, decode, enter = (handle, slot) => operation.entry(handle, slot, id)) {
    if (this.#shared.closed) return this.fail(operation, closed(), callback)
    const fault = idFault(id)
    if (fault !== undefined) return this.fail(operation, badKey(fault), callback)
    return this.#request(operation, callback, decode, enter)
  }

  /**
   * @param {Operation} operation
   * @param {Callback | undefined} callback
   * @param {Decode | Write} decode
   * @param {Enter} enter
   */
  #request (operation, callback, decode, enter) {
    if (!operation.hasSubscribers()) return hub.request(enter, this.#handle, callback, decode)
    return trace(operation, this.view, callback, decode, waiting => hub.submitTraced(enter, this.#handle, waiting))
  }

  /**
   * Watches a session. Throws CLOSED or BAD_KEY.
   *
   * @param {any} id
   * @param {boolean} touch
   */
  watch (id, touch) {
    if (this.#shared.closed) throw closed()
    const fault = idFault(id)
    if (fault !== undefined) throw badKey(fault)
    return this.#shared.watches.add(this.#handle, id, touch)
  }

  /**
   * Fails a request without calling the core.
   *
   * @param {Operation} operation
   * @param {Error} error
   * @param {Callback | undefined} callback
   */
  fail (operation, error, callback) {
    this.#count(operation, error)
    if (!operation.hasSubscribers()) return hub.fail(error, callback)
    return trace(operation, this.view, callback, JSON.parse, waiting => nextTick(() => waiting.settle(error, undefined)))
  }

  /**
   * Fails a request that could not be made. Rethrows any error that is not an AerospikeSessionError: it is a bug.
   *
   * @param {Operation} operation
   * @param {unknown} error
   * @param {Callback | undefined} callback
   */
  failed (operation, error, callback) {
    if (error instanceof AerospikeSessionError) return this.fail(operation, error, callback)
    throw error
  }

  /**
   * Calls a function that makes a request. If it throws an AerospikeSessionError, the request fails with it.
   *
   * @template T
   * @param {Operation} operation
   * @param {Callback | undefined} callback
   * @param {() => T} make
   */
  attempt (operation, callback, make) {
    try {
      return make()
    } catch (error) {
      return this.failed(operation, error, callback)
    }
  }

  /**
   * Answers a credential request of the core.
   * @param {Shared | undefined} shared
   * @param {number} request
   */
  static async #giveCredentials (shared, request) {
    if (shared?.ask === undefined) return
    const { ask, handle } = shared
    const { user, password, failure } = await askFor(ask)
    native.giveCredentials(handle, request, user, password, failure)
  }

  /**
   * Counts a failed call that did not reach the core. The core counts the others.
   *
   * @param {Operation} operation
   * @param {Error} error
   */
  #count ({ name, isCounted }, error) {
    if (!isCounted || !(error instanceof AerospikeSessionError)) return
    const { failures } = this.#shared
    const codes = failures.get(name) ?? new Map()
    codes.set(error.code, (codes.get(error.code) ?? 0) + 1)
    failures.set(name, codes)
  }

  get isClosed () {
    return this.#shared.closed
  }

  /** @returns {import('../index').SessionStoreStats} */
  stats () {
    /** @type {import('../index').SessionStoreStats} */
    const stats = JSON.parse(native.stats(this.#handle))
    for (const [name, codes] of this.#shared.failures) {
      const { errors } = stats.operations[name] ??= { ok: 0, errors: {} }
      for (const [code, count] of codes) errors[code] = (errors[code] ?? 0) + count
    }
    stats.connected &&= !this.isClosed
    return stats
  }

  /** @param {Callback | undefined} callback */
  close (callback) {
    const shared = this.#shared
    if (!shared.closed) {
      debug('closing')
      shared.uncount()
      shared.watches.stop()
    }
    shared.closed = true
    shared.closing ??= Promise.resolve(hub.request(native.close, shared.handle, undefined, JSON.parse))
      .finally(() => hub.closeStore(shared))
    if (callback === undefined) return shared.closing
    shared.closing.then(() => nextTick(callback, null), error => nextTick(callback, error))
  }
}

/**
 * Returns the callback, or undefined if there is none. Throws BAD_OPTION for any other value.
 *
 * @param {any} callback
 * @returns {Callback | undefined}
 */
function optional (callback) {
  if (callback === undefined || callback === null) return undefined
  if (typeof callback === 'function') return callback
  throw badOption(`a callback must be a function, not ${type(callback)}`)
}

/**
 * Returns the answer of a call. If the callback argument was `undefined` or `null`, marks a rejection as handled:
 * express-session passes on the missing callback of `req.session.destroy()` and ignores the promise, so a rejection would
 * end the process. Callers that await the promise still get the error.
 *
 * @template T
 * @param {T} answer a promise, or undefined if there was a callback
 * @param {boolean} isPassed whether the callback argument was passed
 * @returns {T}
 */
function quiet (answer, isPassed) {
  if (isPassed && answer instanceof Promise) answer.catch(() => {})
  return answer
}

module.exports = { Connection, operations, optional, quiet, answer: hub.answer }
