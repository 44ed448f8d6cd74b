'use strict'

// An open store of the core, seen through one view, and the rules every request keeps: a good id,
// an open store, a callback or a promise.

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

const { native } = hub

/**
 * @typedef {import('./bridge/hub').Callback} Callback
 * @typedef {import('./bridge/hub').Decode} Decode
 * @typedef {import('./bridge/hub').Write} Write
 * @typedef {import('./bridge/native-types').StoreHandle} StoreHandle
 * @typedef {import('./options/options').ViewOptions} ViewOptions
 * @typedef {import('./tracing').Operation} Operation
 * @typedef {Map<string, Map<import('../index').AerospikeSessionErrorCode, number>>} Failures by method and code
 * @typedef {{ handle: StoreHandle, notices: number, closed: boolean, uncount: () => void, failures: Failures, ask?: () => any,
 *   closing?: Promise<void>, events: EventForwarder }} Shared
 */

/** @type {WeakMap<object, Connection>} */
const connections = new WeakMap()
/**
 * What belongs to a handle is there for as long as the handle is, and requests under way hold that.
 * @type {WeakMap<StoreHandle, Shared>}
 */
const kept = new WeakMap()

class Connection {
  #handle
  #shared

  /**
   * @param {StoreHandle} handle
   * @param {Shared} shared what all views of a store have in common
   * @param {ViewOptions} view
   */
  constructor (handle, shared, view) {
    this.#handle = handle
    this.#shared = shared
    this.view = view
    kept.set(handle, shared)
  }

  /**
   * Opens a store for its owner, which receives its notices for as long as it is reachable.
   *
   * @template {object} T
   * @param {T} owner
   * @param {import('./options/options').ClusterOptions} cluster
   * @param {ViewOptions} view
   * @param {(owner: T, notice: string, words: string | null) => void} listener
   * @param {() => any} [ask] gives user and password
   */
  static open (owner, cluster, view, listener, ask) {
    // Weakly, so that a store nobody uses any more is garbage, and closes.
    const holder = new WeakRef(owner)
    const { handle, notices } = hub.openStore(cluster, view, ({ notice, words, question }) => {
      const owner = holder.deref()
      if (question !== undefined) Connection.#answer(answering.deref(), question)
      else if (owner !== undefined) listener(owner, notice, words)
    })
    // Not whereto: a URL with a login in it may have been taken for a name.
    debug('connecting, by way of %d host%s', cluster.hosts.length, cluster.hosts.length === 1 ? '' : 's')
    const shared = { handle, notices, closed: false, failures: new Map(), uncount: ownConnections.count(cluster.hosts), ask, events: new EventForwarder() }
    const answering = new WeakRef(shared)
    const connection = new Connection(handle, shared, view)
    connections.set(owner, connection)
    return connection
  }

  /**
   * The connection of a SessionStore.
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
   * The same store, seen in another way.
   * @param {ViewOptions} view
   */
  through (view) {
    return new Connection(native.openView(this.#handle, serialize(view)), this.#shared, view)
  }

  /**
   * A request that concerns no single session.
   *
   * @param {Operation} operation
   * @param {Callback | undefined} callback
   * @param {any} [a]
   * @param {any} [b]
   * @param {Decode} [decode]
   */
  request (operation, callback, a, b, decode = JSON.parse) {
    if (this.#shared.closed) return this.fail(operation, closed(), callback)
    if (operation.hasSubscribers()) return this.#traced(operation, callback, decode, a, b)
    return hub.request(operation.entry, this.#handle, callback, decode, a, b)
  }

  /**
   * A request about one session.
   *
   * @param {Operation} operation
   * @param {any} id
   * @param {Callback | undefined} callback
   * @param {Decode | Write} decode
   * @param {any} [a]
   * @param {any} [b]
   * @param {any} [c]
   * @param {any} [d]
   * @param {any} [e]
   * @param {any} [f]
   * @param {any} [g]
   */
  one (operation, id, callback, decode, a, b, c, d, e, f, g) {
    if (this.#shared.closed) return this.fail(operation, closed(), callback)
    const fault = idFault(id)
    if (fault !== undefined) return this.fail(operation, badKey(fault), callback)
    if (operation.hasSubscribers()) return this.#traced(operation, callback, decode, id, a, b, c, d, e, f, g)
    return hub.request(operation.entry, this.#handle, callback, decode, id, a, b, c, d, e, f, g)
  }

  /**
   * Makes a request that is traced.
   *
   * @param {Operation} operation
   * @param {Callback | undefined} callback
   * @param {Decode | Write} decode
   * @param {any[]} args
   */
  #traced (operation, callback, decode, ...args) {
    return trace(operation, this.view, callback, decode, waiting => hub.submitTraced(operation.entry, this.#handle, waiting, ...args))
  }

  /**
   * Fails a request without asking the core.
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
   * Fails a request that could not be made: with an error of ours; any other is no failure of the request, but a bug.
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
   * Runs what makes a request; an error of ours that making it raises fails the request.
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
   * Answers the core's question for user and password.
   * @param {Shared | undefined} shared
   * @param {number} question
   */
  static async #answer (shared, question) {
    if (shared?.ask === undefined) return
    const { ask, handle } = shared
    const { user, password, failure } = await askFor(ask)
    native.giveCredentials(handle, question, user, password, failure)
  }

  /**
   * Counts a failure of a call that never reached the core.
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
    }
    shared.closed = true
    shared.closing ??= Promise.resolve(hub.request(native.close, shared.handle, undefined, JSON.parse))
      .finally(() => hub.closeStore(shared))
    if (callback === undefined) return shared.closing
    shared.closing.then(() => nextTick(callback, null), error => nextTick(callback, error))
  }
}

/**
 * A callback, or none; anything else is the caller's mistake and said at once.
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
 * Returns the answer of a call. If `undefined` or `null` stood in the place of the callback, nothing may wait for the answer:
 * express-session passes on the missing callback of `req.session.destroy()` and drops the promise. A rejection of that
 * promise would end the process, so it counts as handled. Callers that do await the promise still get the error.
 *
 * @template T
 * @param {T} answer a promise, or undefined if there was a callback
 * @param {boolean} isPassed whether an argument stood in the callback's place
 * @returns {T}
 */
function quiet (answer, isPassed) {
  if (isPassed && answer instanceof Promise) answer.catch(() => {})
  return answer
}

module.exports = { Connection, operations, optional, quiet, answer: hub.answer }
