'use strict'

// Options `encryptionKeys` and `hashIds`. Their values never appear in messages, util.inspect() or JSON.

const { badOption } = require('../errors')
const { string } = require('./validate')

/** Bytes: the size of a key for AES-256. */
const KEY = 32
/** Bytes. */
const SHORTEST_SECRET = 16
/** 32 bytes in base64, in either alphabet, with or without padding. */
const KEY_TEXT = /^[A-Za-z0-9+/_-]{43}=?$/

/** Bytes that cannot be printed or serialized by accident. */
class Secret {
  #base64

  /** @param {Uint8Array} bytes are copied, so that the application may wipe its own */
  constructor (bytes) {
    this.#base64 = Buffer.from(bytes).toString('base64')
  }

  /** @param {Secret} secret */
  static reveal (secret) {
    return secret.#base64
  }
}

/**
 * Serializes options for the core. This is the only text that contains secrets.
 * @param {object} options
 */
function serialize (options) {
  return JSON.stringify(options, (_, value) => value instanceof Secret ? Secret.reveal(value) : value)
}

/**
 * @param {any} keys
 * @returns {Secret[]}
 */
function encryptionKeys (keys) {
  if (!Array.isArray(keys)) throw badOption(`option 'encryptionKeys' must be an array of keys, the newest first, not ${type(keys)}`)
  if (keys.length === 0) throw badOption("option 'encryptionKeys' must not be empty: leave it out to encrypt nothing")
  // Not map(), which skips holes in an array.
  const secrets = Array.from(keys, (key, n) => key instanceof Secret ? key : new Secret(keyBytes(key, n)))
  if (new Set(secrets.map(Secret.reveal)).size < secrets.length) throw badOption("option 'encryptionKeys' has a key twice")
  return secrets
}

/**
 * @param {any} key
 * @param {number} n its index
 * @returns {Uint8Array}
 */
function keyBytes (key, n) {
  const what = `key ${n} of option 'encryptionKeys'`
  if (key instanceof Uint8Array) {
    if (key.length !== KEY) throw badOption(`${what} must be ${KEY} bytes long, not ${key.length}`)
    return key
  }
  if (typeof key !== 'string') throw badOption(`${what} must be ${KEY} bytes, as a Buffer or in base64, not ${type(key)}`)
  if (!KEY_TEXT.test(key)) throw badOption(`${what} must be the base64 of ${KEY} bytes, which is 43 characters and maybe a '='`)
  return Buffer.from(key, 'base64')
}

/**
 * @param {any} secret
 * @returns {Secret}
 */
function hashSecret (secret) {
  if (secret instanceof Secret) return secret
  if (typeof secret !== 'string' && !(secret instanceof Uint8Array)) {
    throw badOption(`option 'hashIds' must be a secret, as a string or a Buffer, not ${type(secret)}`)
  }
  const bytes = typeof secret === 'string' ? Buffer.from(string('hashIds', secret)) : secret
  if (bytes.length < SHORTEST_SECRET) throw badOption(`option 'hashIds' must be at least ${SHORTEST_SECRET} bytes long`)
  return new Secret(bytes)
}

/**
 * Describes the type of a value without quoting it: it may be a secret in an unsupported form.
 * @param {any} value
 */
function type (value) {
  if (value === null) return 'null'
  if (value === undefined) return 'undefined'
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

module.exports = { Secret, encryptionKeys, hashSecret, serialize }
