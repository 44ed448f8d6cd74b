'use strict'

// The one place that makes errors.

/**
 * @typedef {import('../index').AerospikeSessionErrorCode} Code
 * @typedef {{ code: Code, message: string, retryable?: boolean, inDoubt?: boolean,
 *   resultCode?: number | null, cause?: unknown }} Fields
 */

class AerospikeSessionError extends Error {
  /** @param {Fields} fields */
  constructor ({ code, message, retryable = false, inDoubt = false, resultCode = null, cause }) {
    super(message, cause === undefined || cause === null ? undefined : { cause })
    /** @type {Code} */
    this.code = code
    this.retryable = retryable
    this.inDoubt = inDoubt
    /** @type {number | undefined} */
    this.resultCode = resultCode ?? undefined
  }
}

Object.defineProperty(AerospikeSessionError.prototype, 'name', {
  value: 'AerospikeSessionError', writable: true, configurable: true
})

/**
 * Creates an error from the JSON that the native core sent.
 * @param {string} json
 */
function fromNative (json) {
  const fields = JSON.parse(json)
  if (fields.cause !== null) fields.cause = new Error(fields.cause)
  return new AerospikeSessionError(fields)
}

/**
 * @param {string} message
 * @param {unknown} [cause]
 */
function badOption (message, cause) {
  return new AerospikeSessionError({ code: 'BAD_OPTION', message, cause })
}

/**
 * @param {string} message
 * @param {unknown} [cause]
 */
function badKey (message, cause) {
  return new AerospikeSessionError({ code: 'BAD_KEY', message, cause })
}

/**
 * @param {string} message
 * @param {unknown} [cause]
 */
function badData (message, cause) {
  return new AerospikeSessionError({ code: 'BAD_DATA', message, cause })
}

function closed () {
  return new AerospikeSessionError({ code: 'CLOSED', message: 'the session store is closed' })
}

function tooBig () {
  return new AerospikeSessionError({ code: 'TOO_BIG', message: 'the session is larger than the server stores in one record' })
}

/** Creates the error of a request that the core could not take or cannot answer. */
function internal () {
  return new AerospikeSessionError({ code: 'SERVER', message: 'an internal error: the operation was given up', inDoubt: true })
}

module.exports = { AerospikeSessionError, fromNative, badOption, badKey, badData, closed, internal, tooBig }
