'use strict'

// What an operation tells while somebody listens: on its diagnostics channels (docs/observability.md), and, with
// NODE_DEBUG=aerospike-session, on a line of its own. Never an id, and nothing of a session's data.

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
/** Decided when the process starts. */
const IS_DEBUGGED = log.enabled

/**
 * Writes a line for NODE_DEBUG. A terminal may show it, and nodes name themselves.
 *
 * @param {string} format
 * @param {...(string | number)} args
 */
function debug (format, ...args) {
  log(format, ...args.map(arg => typeof arg === 'string' ? printable(arg) : arg))
}
debug.enabled = IS_DEBUGGED

/** Something that can be asked of the core. */
class Operation {
  /**
   * @param {import('../index').OperationName} name the method it is called by
   * @param {Entry} entry
   * @param {boolean} [finds] whether its answer tells if there is such a session
   */
  constructor (name, entry, finds = false) {
    this.name = name
    this.entry = entry
    this.finds = finds
    /** Whether `stats()` counts it: what asks for sessions, and not for the connection. */
    this.isCounted = !['ready', 'info'].includes(name)
    // Held here: a channel that nobody holds is garbage, and with it who listens.
    const { start, end, asyncStart, asyncEnd, error } = tracingChannel(`aerospike-session:${name}`)
    this.start = start
    this.end = end
    this.asyncStart = asyncStart
    this.asyncEnd = asyncEnd
    this.error = error
  }

  /** Whether anybody listens. All that an operation has to do with tracing while nobody does. */
  hasSubscribers () {
    return IS_DEBUGGED || this.start.hasSubscribers || this.end.hasSubscribers || this.asyncStart.hasSubscribers ||
      this.asyncEnd.hasSubscribers || this.error.hasSubscribers
  }
}

/** An operation that is traced: receives its answer, publishes it on the channels, and passes it on to the caller. */
class TracedOperation extends AsyncResource {
  #operation
  #answer
  #began = elapsed()
  /** @type {OperationMessage} */
  #message
  /** @type {{ gone: string | null, conflict: string | null } | undefined} what else became of a set */
  #setResult

  /**
   * @param {Operation} operation
   * @param {import('./options/options').ViewOptions} view
   * @param {Decode | Write} decode
   * @param {Callback} answer
   */
  constructor (operation, { namespace, set }, decode, answer) {
    // Before the start is published: all of it happens in the context of the caller, whatever stores are bound to the start.
    super('AerospikeSession')
    this.#operation = operation
    this.decode = decode
    this.#answer = answer
    this.#message = { operation: operation.name, namespace, set }
  }

  /**
   * Makes the request; this is what waits for its answer.
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
   * @param {number} together
   */
  note (node, together) {
    if (node !== null) this.#message.node = node
    if (together > 0) this.#message.batch = together
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
   * In the order of Node's own TracingChannel.
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
 * Carries out an operation that is traced: returns a promise of its answer if there is no callback.
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
  const together = batch === undefined ? '' : `, batch of ${batch}`
  const end = error === null ? '' : `: ${error.message}`
  return `${operation} ${namespace}.${set} ${error?.code ?? outcome} ${duration?.toFixed(3)} ms${where}${together}${end}`
}

module.exports = { Operation, debug, trace }
