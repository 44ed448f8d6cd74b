'use strict'

// Turns session data into JSON and back, by the rules of JSON.stringify and JSON.parse.

const { AerospikeSessionError, badData, tooBig } = require('./errors')
const { kind } = require('./options/validate')

/** UTF-16 units, each of which takes at least one byte. No record can hold a longer string. */
const LONGEST_STRING = 8 * 1_024 ** 2

/**
 * UTF-16 units. No record can hold longer JSON, in any format. The core checks the exact limit (LARGEST_RECORD in
 * src/cluster/mod.rs). This check comes first because passing a large string to the core blocks the event loop.
 */
const LONGEST_JSON = 6 * LONGEST_STRING

/**
 * @param {any} data
 * @returns {string}
 * @throws {import('./errors').AerospikeSessionError} BAD_DATA, TOO_BIG
 */
function stringify (data) {
  return checkedText(data, JSON.stringify)
}

/**
 * @param {any} data
 * @param {(data: any) => string | undefined} textOf
 * @returns {string}
 * @throws {import('./errors').AerospikeSessionError} BAD_DATA, TOO_BIG
 */
function checkedText (data, textOf) {
  if (!isPlain(data)) {
    const what = typeof data === 'object' || data === undefined ? kind(data) : `a ${typeof data}`
    throw badData(`session data must be a plain object, not ${what}`)
  }
  let json
  try {
    if (holdsTooMuch(data)) throw tooBig()
    json = textOf(data)
  } catch (cause) {
    if (cause instanceof AerospikeSessionError) throw cause
    // For example a BigInt, a cycle or a toJSON() that throws.
    throw badData('session data cannot be turned into JSON', unquoted(cause))
  }
  // The data's toJSON() may return any value.
  if (typeof json !== 'string') throw badData('session data cannot be turned into JSON')
  if (json.length > LONGEST_JSON) throw tooBig()
  return json
}

/**
 * Returns true if the data has a string that is too long by itself. This check is fast, while JSON.stringify would block the
 * event loop for a tenth of a second.
 *
 * @param {any} data
 */
function holdsTooMuch (data) {
  if (typeof data.toJSON === 'function') return false
  for (const key of Object.keys(data)) {
    const value = data[key]
    if (typeof value === 'string' && value.length > LONGEST_STRING) return true
  }
  return false
}

/**
 * Returns true if a value is an object and not an array.
 * @param {any} data
 */
function isPlain (data) {
  return typeof data === 'object' && data !== null && !Array.isArray(data)
}

/**
 * Replaces V8's error for a cycle, because its message quotes keys, which are session data. Returns other errors unchanged.
 * @param {unknown} cause
 */
function unquoted (cause) {
  if (!(cause instanceof TypeError) || !cause.message.startsWith(CYCLE)) return cause
  return new TypeError(CYCLE)
}

const CYCLE = 'Converting circular structure to JSON'

/** Matches the cookie at the start, where the core and Express put it. Does not match a cookie that contains objects. */
const COOKIE_IN_FRONT = /^\{"cookie":(\{(?:[^"{}]|"(?:[^"\\]|\\.)*")*\})/

/**
 * Returns the JSON of the cookie in a session's JSON, or an empty string if there is no cookie.
 * @param {string} json
 */
function cookieIn (json) {
  const found = COOKIE_IN_FRONT.exec(json)
  if (found !== null) return found[1]
  const { cookie } = JSON.parse(json)
  return cookie === undefined ? '' : JSON.stringify(cookie)
}

/**
 * Returns a session's JSON without its cookie.
 * @param {string} json
 */
function withoutCookie (json) {
  const found = COOKIE_IN_FRONT.exec(json)
  if (found === null) {
    const { cookie, ...rest } = JSON.parse(json)
    return JSON.stringify(rest)
  }
  const rest = json.slice(found[0].length)
  return `{${rest.startsWith(',') ? rest.slice(1) : rest}`
}

/**
 * @typedef {((this: any, key: string, value: any) => any) | (string | number)[]} Replacer
 * @typedef {(this: any, key: string, value: any, context?: any) => any} Reviver
 * @typedef {{ stringify: (data: any) => string, parse: (json: string) => any, loaded: (session: any, json: string) => string,
 *   memberOf: (session: any, name: string, json: string) => string | undefined,
 *   replacer: Replacer | null, reviver: Reviver | null }} SessionJson how a store turns sessions into JSON and back. `loaded` returns the JSON of a
 *   session that has just been parsed from `json`, `memberOf` that of one of its members.
 */

/** Sessions as JSON itself has them. @type {SessionJson} */
const PLAIN = {
  stringify,
  parse: JSON.parse,
  loaded: (_session, json) => json,
  memberOf: (session, name) => JSON.stringify(session[name]),
  replacer: null,
  reviver: null
}

/**
 * Sessions with the application's own `replacer` and `reviver`. The cookie is not passed to them: it belongs to express-session.
 * @implements {SessionJson}
 */
class CustomJson {
  #hasCookie

  /**
   * @param {Replacer | null} replacer
   * @param {Reviver | null} reviver
   * @param {boolean} hasCookie whether key `cookie` is the cookie of express-session
   */
  constructor (replacer, reviver, hasCookie) {
    this.replacer = replacer
    this.reviver = reviver
    this.#hasCookie = hasCookie
  }

  /** @param {any} data */
  stringify (data) {
    return checkedText(data, data => this.#text(data))
  }

  /** @param {any} data */
  #text (data) {
    const made = typeof data.toJSON === 'function' && !ours.has(data.toJSON) ? data.toJSON('') : data
    if (!this.#hasCookie || !isPlain(made)) return JSON.stringify(made, /** @type {any} */ (this.replacer))
    const { cookie, ...rest } = made
    const members = JSON.stringify(rest, /** @type {any} */ (this.replacer))
    const own = JSON.stringify(cookie)
    if (own === undefined || !members?.startsWith('{')) return members
    return members === '{}' ? `{"cookie":${own}}` : `{"cookie":${own},${members.slice(1)}`
  }

  /** @param {string} json */
  parse (json) {
    const session = JSON.parse(this.#hasCookie ? withoutCookie(json) : json, this.#guarded())
    if (!isPlain(session)) throw badData("the function in option 'reviver' must return an object for a session")
    const cookie = this.#hasCookie ? cookieIn(json) : ''
    if (cookie !== '') session.cookie = JSON.parse(cookie)
    return session
  }

  #guarded () {
    const { reviver } = this
    if (reviver === null) return undefined
    /** @type {Reviver} */
    const guarded = function (key, value, context) {
      try {
        return reviver.call(this, key, value, context)
      } catch (cause) {
        throw badData("the function in option 'reviver' threw an error", cause)
      }
    }
    return guarded
  }

  /**
   * Returns the JSON that a set of the unchanged session would write. It may differ from the stored JSON: a `reviver` that makes a Date
   * of `'2026-01-01'` stores it as `'2026-01-01T00:00:00.000Z'`. Compared with the stored JSON, each such key would seem changed.
   *
   * @param {any} session
   * @param {string} json
   */
  loaded (session, json) {
    try {
      return this.stringify(session)
    } catch {
      // The next set fails with the same error, and reports it.
      return json
    }
  }

  /**
   * @param {any} _session
   * @param {string} name
   * @param {string} json
   */
  memberOf (_session, name, json) {
    return JSON.stringify(JSON.parse(json)[name])
  }
}

/** The functions that `showAsJson` has made. @type {WeakSet<Function>} */
const ours = new WeakSet()
let failures = 0

/**
 * Gives a Session of express-session a `toJSON`. express-session detects changes by `JSON.stringify` of the session without its cookie:
 * it would miss changes inside a Map, and throw for a BigInt.
 *
 * @param {any} session
 * @param {SessionJson} json
 */
function showAsJson (session, json) {
  // The session's data may have a key of this name.
  if (json === PLAIN || Object.hasOwn(session, 'toJSON')) return
  const toJSON = () => {
    const { cookie, ...data } = session
    try {
      return JSON.parse(json.stringify(data))
    } catch {
      // Counts as a change, so that the session is set, which fails and reports the error.
      return { failures: ++failures }
    }
  }
  ours.add(toJSON)
  Object.defineProperty(session, 'toJSON', { value: toJSON, configurable: true, writable: true })
}

/**
 * @param {Replacer | null} replacer
 * @param {Reviver | null} reviver
 * @param {boolean} hasCookie
 * @returns {SessionJson}
 */
function sessionJson (replacer, reviver, hasCookie) {
  return replacer === null && reviver === null ? PLAIN : new CustomJson(replacer, reviver, hasCookie)
}

module.exports = { PLAIN, cookieIn, isPlain, sessionJson, showAsJson, stringify, unquoted }
