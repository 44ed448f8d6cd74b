'use strict'

// Checks of single values, each in words. What a message says of a value is its type, and a number only where one is
// asked for: anything else may be a password or a session id.

const { badOption } = require('../errors')

/** Seconds: the longest TTL Aerospike takes (MAX_TTL in the server's cfg.c). */
const LONGEST_TTL = 10 * 365 * 24 * 60 * 60
/** Bytes. A session id comes out of a cookie, and no browser keeps one as long as this. */
const LONGEST_ID = 65_536
/** Bytes: what a secondary index takes of a string (as/include/base/datamodel.h). */
const LONGEST_USER = 2_048

/** Milliseconds since 1970: the last that dates in ISO 8601 and cookies can say, the end of the year 9999. */
const LAST_TIME = Date.UTC(10_000, 0) - 1

/** Bytes: less holds next to no record. */
const LEAST_MEMORY = 1_024 ** 2
/** Bytes: an exact number in JavaScript and more than any machine has. */
const MOST_MEMORY = 1_024 ** 5

// Names end up in info commands, where nothing escapes them. Lengths in bytes, as in
// as/include/base/datamodel.h.
const LONGEST_NAME = { namespace: 31, set: 63, bin: 15 }

/** @param {any} value */
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
 * What a value is, and nothing of what it holds.
 * @param {any} value
 */
function type (value) {
  return typeof value === 'number' || typeof value === 'boolean' ? `a ${typeof value}` : kind(value)
}

/**
 * @param {any} options
 * @param {readonly string[]} known
 * @param {string} [what]
 */
function names (options, known, what = 'options') {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw badOption(`${what} must be an object, not ${type(options)}`)
  }
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue
    // `cafile` and so on are what other programs call files of PEM.
    const near = nearest(name, known) ?? nearest(name.replace(/_?file$/i, ''), known)
    const path = /^option '(.+)'$/.exec(what)?.[1]
    throw badOption(`unknown option '${name}'` +
      (near === undefined ? '' : `: did you mean '${near}'?`) +
      (path === undefined ? '' : ` (the full name is '${path}.${name}')`))
  }
}

/**
 * What an option's absence means, for options that protect sessions or the connection. If one of them is present and
 * undefined, as `process.env.MISSING` is, nothing would show that the protection is off. The words finish the sentence
 * "leave it out …".
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
  tombstones: 'to leave no tombstones',
  durableDelete: 'to delete without durability'
}

/**
 * The options that were given, own or inherited, each read once. A protecting option must not be undefined; any other
 * that is undefined counts as left out.
 *
 * @param {any} options
 * @param {readonly string[]} known
 * @param {{ what?: string, within?: string, harmless?: string }} [how] what: the object's name in messages. within: what
 *   the names of its options begin with. harmless: an option that protects elsewhere, and not here
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
 * The known name closest to a mistyped one, if any is close.
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
 * Levenshtein's distance.
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
    throw badOption(`option '${option}' must be ${choices.map(one => `'${one}'`).join(' or ')}, not ${other(value, choices)}`)
  }
  return value
}

/**
 * Describes a wrong choice. A string is shown only if it is close to a right one: any other may be a password in the wrong
 * place.
 *
 * @param {any} value
 * @param {readonly string[]} choices
 */
function other (value, choices) {
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
 * A size: bytes, or a string with a unit, as '512m'.
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
 * A time in seconds; fractions are kept to the millisecond.
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
 * A point in time, however it is written.
 * @param {any} value
 * @returns {number} milliseconds since 1970; NaN if it is none
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
  // Two ids that differ only in lone surrogates would be one key.
  if (!id.isWellFormed()) return 'a session id must be well-formed Unicode'
  if (id.length * 3 > LONGEST_ID && Buffer.byteLength(id) > LONGEST_ID) return `a session id must be at most ${LONGEST_ID} bytes long`
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

module.exports = { LAST_TIME, PROTECTING, boolean, bytes, choice, given, idFault, integer, kind, name, names, notAwaited, seconds, string, timeOf, type, userFault }
