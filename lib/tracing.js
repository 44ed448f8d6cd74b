'use strict'

// Publishes operations on diagnostics channels (docs/observability.md). With NODE_DEBUG=aerospike-session it also logs a
// line per operation. Neither contains session ids or session data.

const { AsyncResource } = require('node:async_hooks')
const { tracingChannel } = require('node:diagnostics_channel')
const { debuglog } = require('node:util')
const { elapsed } = require('./clock')
const { printable } = require('./printable')

/**
 * @typedef {import('../index').OperationMessage} OperationMessage
 * @typedef {import('./bridge/hub').Callback} Callback
 * @typedef {import('./bridge/hub').Decode} Decode
 * @typedef {import('./bridge/hub').Write} Write
 * @typedef {import('./bridge/native-types').Entry} Entry
 */

const log = debuglog('aerospike-session')
/** NODE_DEBUG is read when the process starts. */
const IS_DEBUGGED = log.enabled

/**
 * Logs a line for NODE_DEBUG. Escapes strings, because node names come from the cluster and the line may go to a terminal.
 *
 * @param {string} format
 * @param {...(string | number)} args
 */
function debug (format, ...args) {
  log(format, ...args.map(arg => typeof arg === 'string' ? printable(arg) : arg))
}
debug.enabled = IS_DEBUGGED

/** An operation of the core, with its diagnostics channels. */
class Operation {
  /**
   * @param {import('../index').OperationName} name the public method
   * @param {Entry} entry
   * @param {boolean} [finds] whether its answer shows that the session exists
   */
  constructor (name, entry, finds = false) {
    this.name = name
    this.entry = entry
    this.finds = finds
    /** Whether `stats()` counts it. It counts operations on sessions, not those on the connection. */
    this.isCounted = !['ready', 'info'].includes(name)
    // Held here, because an unreferenced channel is garbage collected together with its subscribers.
    const { start, end, asyncStart, asyncEnd, error } = tracingChannel(`aerospike-session:${name}`)
    this.start = start
    this.end = end
    this.asyncStart = asyncStart
    this.asyncEnd = asyncEnd
    this.error = error
  }

  /** Returns true if the operation must be traced. Without subscribers this check is the only cost of tracing. */
  hasSubscribers () {
    return IS_DEBUGGED || this.start.hasSubscribers || this.end.hasSubscribers || this.asyncStart.hasSubscribers ||
      this.asyncEnd.hasSubscribers || this.error.hasSubscribers
  }
}

/** A traced request. It receives the answer, publishes it on the channels, and passes it to the caller. */
class TracedOperation extends AsyncResource {
  #operation
  #answer
  #began = elapsed()
  /** @type {OperationMessage} */
  #message
  /** @type {{ gone: string | null, conflict: string | null } | undefined} the events of a set */
  #setResult

  /**
   * @param {Operation} operation
   * @param {import('./options/options').ViewOptions} view
   * @param {Decode | Write} decode
   * @param {Callback} answer
   */
  constructor (operation, { namespace, set }, decode, answer) {
    // Created before `start` is published, so that the caller's context applies whatever stores are bound to `start`.
    super('AerospikeSession')
    this.#operation = operation
    this.decode = decode
    this.#answer = answer
    this.#message = { operation: operation.name, namespace, set }
  }

  /**
   * Publishes `start`, makes the request and publishes `end`.
   * @param {(waiting: TracedOperation) => void} make
   */
  begin (make) {
    const { start, end } = this.#operation
    start.runStores(this.#message, () => {
      try {
        make(this)
      } finally {
        end.publish(this.#message)
      }
    })
  }

  /**
   * @param {string | null} node
   * @param {number} batchSize
   */
  note (node, batchSize) {
    if (node !== null) this.#message.node = node
    if (batchSize > 0) this.#message.batch = batchSize
  }

  /** @param {string} result as JSON: the events of a set */
  setResult (result) {
    this.#setResult = JSON.parse(result)
  }

  /**
   * @param {Error | null} error
   * @param {any} value
   */
  settle (error, value) {
    this.runInAsyncScope(() => this.#publish(error, value))
  }

  /**
   * Publishes in the order of Node.js's TracingChannel.
   *
   * @param {Error | null} error
   * @param {any} value
   */
  #publish (error, value) {
    const message = this.#message
    const { asyncStart, asyncEnd, error: failed } = this.#operation
    message.duration = elapsed() - this.#began
    message.outcome = error === null ? this.#outcome(value) : 'error'
    if (IS_DEBUGGED) debug('%s', line(message, error))
    if (error !== null) {
      message.error = /** @type {import('../index').AerospikeSessionError} */ (error)
      failed.publish(message)
    }
    asyncStart.runStores(message, () => {
      try {
        if (error !== null) this.#answer(error)
        else if (value === undefined) this.#answer(null)
        else this.#answer(null, value)
      } finally {
        asyncEnd.publish(message)
      }
    })
  }

  /**
   * @param {any} value
   * @returns {OperationMessage['outcome']}
   */
  #outcome (value) {
    if (this.#setResult?.gone) return 'gone'
    if (this.#setResult?.conflict) return 'conflict'
    if (!this.#operation.finds) return 'ok'
    return value === null || value === false ? 'miss' : 'hit'
  }
}

/**
 * Makes a traced request. Returns a promise of its answer if there is no callback.
 *
 * @param {Operation} operation
 * @param {import('./options/options').ViewOptions} view
 * @param {Callback | undefined} callback
 * @param {Decode | Write} decode
 * @param {(waiting: TracedOperation) => void} make
 * @returns {Promise<any> | undefined}
 */
function trace (operation, view, callback, decode, make) {
  if (callback !== undefined) {
    new TracedOperation(operation, view, decode, callback).begin(make)
    return
  }
  return new Promise((resolve, reject) => {
    const answer = (/** @type {Error | null} */ error, /** @type {any} */ value) => error === null ? resolve(value) : reject(error)
    new TracedOperation(operation, view, decode, answer).begin(make)
  })
}

/**
 * @param {OperationMessage} message
 * @param {any} error
 */
function line ({ operation, namespace, set, duration, outcome, node, batch }, error) {
  const where = node === undefined ? '' : `, node ${node}`
  const inBatch = batch === undefined ? '' : `, batch of ${batch}`
  const end = error === null ? '' : `: ${error.message}`
  return `${operation} ${namespace}.${set} ${error?.code ?? outcome} ${duration?.toFixed(3)} ms${where}${inBatch}${end}`
}

module.exports = { Operation, debug, trace }
