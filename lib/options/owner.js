'use strict'

// The owner of a session: option `user` of a store, and the argument of the methods that find sessions by their owner.
//
// The owner is read as JSON would store it. For example, an ObjectId or a Date that a login puts into a session is a string
// in every later request. The owner must be the same before and after.

const { badData, badKey, badOption } = require('../errors')
const { unquoted } = require('../json')
const { notAwaited, string, userFault } = require('./validate')

/** The owner text of a session without an owner. */
const NO_OWNER = ''

/** @typedef {(message: string, cause?: unknown) => Error} Fail */

/**
 * Reads option `user`, unless it is a login (a name with a password).
 *
 * @param {any} given
 * @returns {((session: any) => string) | undefined} a function that returns a session's owner, or throws BAD_DATA or
 *   BAD_OPTION; undefined if the store keeps no owners
 */
function ownerOption ({ user, password }) {
  if (typeof user === 'function') {
    if (password !== undefined) throw badOption("option 'password' needs a login name: with a 'user' function, log in by option 'auth'")
    return session => ownerText(callUser(user, session), badData)
  }
  if (user === undefined || password !== undefined) return undefined
  string('user', user)
  if (!/^[^.]+(\.[^.]+)*$/.test(user)) throw badOption("option 'user' must be a function, a path such as 'passport.user', or a login name with option 'password'")
  const path = user.split('.')
  return session => ownerAt(path, session)
}

/**
 * Checks the `user` argument of a method.
 *
 * @param {unknown} user
 * @returns {string}
 * @throws {import('../errors').AerospikeSessionError} BAD_KEY
 */
function ownerArgument (user) {
  const owner = ownerText(user, badKey)
  if (owner === NO_OWNER) throw badKey("a user must be given: undefined, null, '', NaN and Infinity mean that a session has no owner")
  return owner
}

/**
 * @param {(session: any) => unknown} user the application's function
 * @param {any} session
 */
function callUser (user, session) {
  try {
    return notAwaited(user(session))
  } catch (cause) {
    throw badOption("the function in option 'user' threw an error", cause)
  }
}

/**
 * Returns the owner at a path into a session. Reads as JSON does: own enumerable properties and results of toJSON().
 *
 * @param {string[]} path
 * @param {any} session
 */
function ownerAt (path, session) {
  let [inner, name] = [session, '']
  try {
    for (const key of path) {
      inner = property(converted(inner, name), key)
      name = key
    }
  } catch (cause) {
    throw unreadable(badData, cause)
  }
  return ownerText(inner, badData, name)
}

/**
 * @param {any} value
 * @param {string} name of the property that holds it
 */
function converted (value, name) {
  return typeof value?.toJSON === 'function' ? value.toJSON(name) : value
}

/**
 * @param {any} object
 * @param {string} key
 */
function property (object, key) {
  if (typeof object !== 'object' || object === null) return undefined
  return Object.prototype.propertyIsEnumerable.call(object, key) ? object[key] : undefined
}

/**
 * @param {unknown} value
 * @param {Fail} fail creates the error for a value that cannot be an owner
 * @param {string} [name] of the property that holds it
 * @returns {string}
 */
function ownerText (value, fail, name = '') {
  const made = fromJson(value, fail, name)
  if (made === undefined || made === null) return NO_OWNER
  if (typeof made === 'number' && !Number.isFinite(made)) return NO_OWNER
  const text = typeof made === 'number' || typeof made === 'bigint' ? String(made) : made
  if (text === NO_OWNER) return NO_OWNER
  const fault = userFault(text)
  if (fault !== undefined) throw fail(fault)
  return text
}

/**
 * Returns a value as JSON would restore it. Keeps functions, symbols and promises, which JSON would drop, so that they are
 * rejected as owners.
 *
 * @param {any} value
 * @param {Fail} fail
 * @param {string} name
 */
function fromJson (value, fail, name) {
  try {
    if (value instanceof Promise) return value
    if (typeof value !== 'object' && typeof value?.toJSON !== 'function') return value
    const made = JSON.parse(JSON.stringify({ [name]: value }))
    return Object.hasOwn(made, name) ? made[name] : undefined
  } catch (cause) {
    throw unreadable(fail, cause)
  }
}

/**
 * @param {Fail} fail
 * @param {unknown} cause
 */
function unreadable (fail, cause) {
  return fail('the owner of a session cannot be turned into JSON', unquoted(cause))
}

module.exports = { ownerArgument, ownerOption }
