'use strict'

// Checks of single values. A message names the type of a wrong value. It quotes only numbers, and only if a number is
// expected: anything else may be a password or a session id.

const { badOption } = require('../errors')

/** Seconds: the server's longest TTL (MAX_TTL in cfg.c). */
const LONGEST_TTL = 10 * 365 * 24 * 60 * 60
/** Bytes. A session id comes from a cookie, and no browser stores a cookie of this length. */
const LONGEST_ID = 65_536
/** Bytes: the longest key of a rate limit. Names and addresses are shorter, and keys may come from anybody. */
const LONGEST_KEY = 4_096
/** Bytes: the longest string in a secondary index (as/include/base/datamodel.h). */
const LONGEST_USER = 2_048

/** Milliseconds since 1970: the end of the year 9999, the last date in ISO 8601 and cookies. */
const LAST_TIME = Date.UTC(10_000, 0) - 1

/** Bytes. Less memory would hold almost no records. */
const LEAST_MEMORY = 1_024 ** 2
/** Bytes: more than any machine has, and an exact number in JavaScript. */
const MOST_MEMORY = 1_024 ** 5

// Names are checked strictly because info commands cannot escape them. Lengths are in bytes, from
// as/include/base/datamodel.h.
const LONGEST_NAME = { namespace: 31, set: 63, bin: 15 }

/**
 * Describes the type of a value for a message. Quotes numbers and booleans.
 * @param {any} value
 */
function kind (value) {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (value === undefined) return 'undefined'
  if (value instanceof Promise) return 'a promise'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

/**
 * Returns the result of an application's function that must not return a promise. A promise is marked as handled, so that
 * its rejection does not end the process.
 *
 * @template T
 * @param {T} value
 * @returns {T}
 */
function notAwaited (value) {
  if (value instanceof Promise) value.catch(() => {})
  return value
}

/**
 * Describes the type of a value for a message. Quotes nothing.
 * @param {any} value
 */
function type (value) {
  return typeof value === 'number' || typeof value === 'boolean' ? `a ${typeof value}` : kind(value)
}

/**
 * Rejects unknown option names.
 *
 * @param {any} options
 * @param {readonly string[]} known
 * @param {string} [what] the object's name in messages
 */
function names (options, known, what = 'options') {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw badOption(`${what} must be an object, not ${type(options)}`)
  }
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue
    // Other programs call files of PEM `cafile` and the like.
    const near = nearest(name, known) ?? nearest(name.replace(/_?file$/i, ''), known)
    const path = /^option '(.+)'$/.exec(what)?.[1]
    throw badOption(`unknown option '${name}'` +
      (near === undefined ? '' : `: did you mean '${near}'?`) +
      (path === undefined ? '' : ` (the full name is '${path}.${name}')`))
  }
}

/**
 * Options that protect sessions or the connection. They must not be undefined: an unset environment variable would silently
 * turn the protection off. Each text completes the sentence "leave it out …".
 * @type {Record<string, string>}
 */
const PROTECTING = {
  client: 'to open a connection for this store alone',
  auth: 'to connect without a login',
  user: 'if there is no login',
  password: 'if there is no login',
  tls: 'to connect without encryption',
  'tls.ca': 'to trust the authorities that the system and Node.js trust',
  'tls.cert': 'to present no certificate',
  'tls.key': 'to present no certificate',
  'tls.pins': 'to accept any key',
  clusterName: 'to accept a cluster of any name',
  prefix: 'to put nothing before session ids',
  encryptionKeys: 'to encrypt nothing',
  hashIds: 'to hash nothing',
  absoluteTtl: 'to set no absolute lifetime',
  maxSessionsPerUser: 'to limit no sessions',
  tombstones: 'to leave no tombstones',
  durableDelete: 'to delete without durability'
}

/**
 * Returns the options that were given, own or inherited. Reads each one once. Rejects a protecting option that is undefined.
 * Any other option that is undefined counts as left out.
 *
 * @param {any} options
 * @param {readonly string[]} known
 * @param {{ what?: string, within?: string, harmless?: string }} [how] what: the object's name in messages. within: what
 *   the full names of its options begin with. harmless: an option that protects elsewhere, but not here
 * @returns {Record<string, any>}
 */
function given (options, known, { what, within = '', harmless } = {}) {
  names(options, known, what)
  /** @type {Record<string, any>} */
  const found = {}
  for (const name of known) {
    if (!(name in options)) continue
    const value = options[name]
    if (value !== undefined) found[name] = value
    else if (name !== harmless && Object.hasOwn(PROTECTING, within + name)) throw unset(within + name)
  }
  return found
}

/** @param {string} option */
function unset (option) {
  return badOption(`option '${option}' is undefined: set it, or leave it out ${PROTECTING[option]}`)
}

/**
 * Returns the known name that is closest to a mistyped one, or undefined if none is close.
 * @param {string} name
 * @param {readonly string[]} known
 */
function nearest (name, known) {
  let best
  let least = Math.max(2, Math.floor(name.length / 3)) + 1
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase())
    if (distance < least) [best, least] = [candidate, distance]
  }
  return best
}

/**
 * Returns the Levenshtein distance.
 * @param {string} a
 * @param {string} b
 */
function editDistance (a, b) {
  if (a.length > 64) return Infinity
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1))
    }
    row = next
  }
  return row[b.length]
}

/**
 * @param {string} option
 * @param {any} value
 * @returns {string}
 */
function string (option, value) {
  if (typeof value !== 'string') throw badOption(`option '${option}' must be a string, not ${type(value)}`)
  if (!value.isWellFormed()) throw badOption(`option '${option}' must be well-formed Unicode`)
  return value
}

/**
 * @param {string} option
 * @param {any} value
 * @returns {boolean}
 */
function boolean (option, value) {
  if (typeof value !== 'boolean') throw badOption(`option '${option}' must be true or false, not ${kind(value)}`)
  return value
}

/**
 * @template {string} T
 * @param {string} option
 * @param {any} value
 * @param {readonly T[]} choices
 * @returns {T}
 */
function choice (option, value, choices) {
  if (!choices.includes(value)) {
    throw badOption(`option '${option}' must be ${choices.map(one => `'${one}'`).join(' or ')}, not ${wrongChoice(value, choices)}`)
  }
  return value
}

/**
 * Describes a wrong choice. Quotes a string only if it is close to a valid choice: any other may be a misplaced password.
 *
 * @param {any} value
 * @param {readonly string[]} choices
 */
function wrongChoice (value, choices) {
  if (typeof value !== 'string') return kind(value)
  return nearest(value.trim(), choices) === undefined ? 'a string with another value' : `'${value}'`
}

/**
 * @param {'namespace' | 'set' | 'bin'} option
 * @param {any} value
 * @returns {string}
 */
function name (option, value) {
  string(option, value)
  if (!/^[A-Za-z0-9_-]+$/.test(value)) {
    throw badOption(`option '${option}' must be made of A-Z, a-z, 0-9, _ and -, and not be empty`)
  }
  const longest = LONGEST_NAME[option]
  if (value.length > longest) throw badOption(`option '${option}' must be at most ${longest} bytes long`)
  return value
}

/**
 * @param {string} option
 * @param {any} value
 * @param {number} least
 * @param {number} most
 * @param {string} [unit]
 * @returns {number}
 */
function integer (option, value, least, most, unit = '') {
  if (typeof value !== 'number') throw badOption(`option '${option}' must be a number${unit}, not ${kind(value)}`)
  if (!Number.isInteger(value) || value < least || value > most) {
    throw badOption(`option '${option}' must be a whole number${unit} from ${least} to ${most}, not ${value}`)
  }
  return value
}

/**
 * Checks a size: a number of bytes, or a string with a unit such as '512m'.
 * @param {string} option
 * @param {any} value
 * @returns {number} bytes
 */
function bytes (option, value) {
  if (typeof value !== 'number' && typeof value !== 'string') {
    throw badOption(`option '${option}' must be a number of bytes or a string such as '512m', not ${kind(value)}`)
  }
  const [, number, unit] = /^(\d{1,16})([kmgt]?)b?$/i.exec(String(value)) ?? []
  const size = Number(number) * 1_024 ** ' kmgt'.indexOf(unit?.toLowerCase() || ' ')
  if (!(size >= LEAST_MEMORY && size <= MOST_MEMORY)) {
    throw badOption(`option '${option}' must be a size from 1m to 1024t, in bytes or with a unit as '512m'`)
  }
  return size
}

/**
 * Checks a time in seconds. Fractions are kept to the millisecond.
 * @param {string} option
 * @param {any} value
 * @returns {number}
 */
function seconds (option, value) {
  if (typeof value !== 'number') throw badOption(`option '${option}' must be a number of seconds, not ${kind(value)}`)
  if (!(value > 0 && value <= LONGEST_TTL)) {
    throw badOption(`option '${option}' must be more than 0 and at most ${LONGEST_TTL} seconds (10 years), not ${value}`)
  }
  return value
}

/**
 * Reads a point in time from a Date or anything that the Date constructor accepts.
 * @param {any} value
 * @returns {number} milliseconds since 1970, or NaN
 */
function timeOf (value) {
  if (value instanceof Date) return value.getTime()
  return ['string', 'number', 'object'].includes(typeof value) && value !== null ? new Date(value).getTime() : NaN
}

/**
 * @param {any} id
 * @returns {string | undefined} what is wrong with a session id, if anything
 */
function idFault (id) {
  if (typeof id !== 'string') return `a session id must be a string, not ${type(id)}`
  if (id === '') return 'a session id must not be empty'
  // Two ids that differ only in lone surrogates would have the same key.
  if (!id.isWellFormed()) return 'a session id must be well-formed Unicode'
  if (id.length * 3 > LONGEST_ID && Buffer.byteLength(id) > LONGEST_ID) return `a session id must be at most ${LONGEST_ID} bytes long`
}

/**
 * @param {any} key
 * @returns {string | undefined} what is wrong with the key of a rate limit, if anything
 */
function keyFault (key) {
  if (typeof key !== 'string') return `the key of a rate limit must be a string, not ${type(key)}`
  if (key === '') return 'the key of a rate limit must not be empty'
  // Two keys that differ only in lone surrogates would have the same counter.
  if (!key.isWellFormed()) return 'the key of a rate limit must be well-formed Unicode'
  if (key.length * 3 > LONGEST_KEY && Buffer.byteLength(key) > LONGEST_KEY) return `the key of a rate limit must be at most ${LONGEST_KEY} bytes long`
}

/**
 * @param {any} user
 * @returns {string | undefined} what is wrong with the owner of a session, if anything
 */
function userFault (user) {
  if (typeof user !== 'string') return `a user must be a string or a finite number in JSON, not ${type(user)}`
  if (!user.isWellFormed()) return 'a user must be well-formed Unicode'
  if (Buffer.byteLength(user) > LONGEST_USER) return `a user must be at most ${LONGEST_USER} bytes long`
}

module.exports = { LAST_TIME, PROTECTING, boolean, bytes, choice, given, idFault, integer, keyFault, kind, name, names, notAwaited, seconds, string, timeOf, type, userFault }
