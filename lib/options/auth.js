'use strict'

// The login: options `auth`, `user`, `password` and `authMode`.

const { badOption } = require('../errors')
const { choice, names, string, type } = require('./validate')

/**
 * @typedef {{ user: string, password: string }} Credentials
 * @typedef {{ mode: 'internal' | 'external' | 'external-insecure' | 'pki', user: string | null,
 *   password: string | null }} AuthOptions user and password are null if none are needed or a function provides them
 */

const MODES = /** @type {const} */ (['internal', 'external', 'external-insecure', 'pki'])
/** Bytes of user and password together: the Rust crate sends them in a buffer of 1,024 bytes. */
const LONGEST_CREDENTIALS = 900

/**
 * @param {any} options
 * @param {import('./tls').TlsOptions | null} tls
 * @returns {AuthOptions | null}
 */
function authOptions ({ auth, user, password, authMode }, tls) {
  const mode = choice('authMode', authMode ?? 'internal', MODES)
  if ((mode === 'external' || mode === 'pki') && tls === null) throw badOption(`option 'authMode: ${mode}' needs option 'tls'`)
  if (auth !== undefined && (user !== undefined || password !== undefined)) {
    throw badOption("option 'auth' stands in the place of 'user' and 'password'")
  }
  if (mode === 'pki') {
    if (auth !== undefined || user !== undefined || password !== undefined) {
      throw badOption("option 'authMode: pki' takes no user and no password: the certificate says who we are")
    }
    if (tls?.cert === null) throw badOption("option 'authMode: pki' needs options 'tls.cert' and 'tls.key'")
    return { mode, user: null, password: null }
  }
  if (typeof auth === 'function') return { mode, user: null, password: null }
  if (auth !== undefined) {
    names(auth, ['user', 'password'], "option 'auth'")
    return { mode, ...credentials(auth) }
  }
  if (user === undefined && password === undefined) {
    if (authMode !== undefined) throw badOption(`option 'authMode: ${mode}' needs option 'auth'`)
    return null
  }
  return { mode, ...credentials({ user, password }) }
}

/**
 * @param {any} given
 * @returns {Credentials}
 */
function credentials ({ user, password }) {
  if (user === undefined) throw badOption("option 'password' needs option 'user'")
  if (password === undefined) throw badOption("option 'user' needs option 'password'")
  string('user', user)
  string('password', password)
  if (user === '') throw badOption("option 'user' must not be empty")
  if (Buffer.byteLength(user) + Buffer.byteLength(password) > LONGEST_CREDENTIALS) {
    throw badOption(`options 'user' and 'password' must be at most ${LONGEST_CREDENTIALS} bytes long together`)
  }
  return { user, password }
}

/**
 * Calls the application's function for credentials. Never rejects: a failure is returned as `failure`.
 *
 * @param {() => any} ask
 * @returns {Promise<Credentials & { failure?: string }>}
 */
async function askFor (ask) {
  let given
  try {
    given = await ask()
  } catch (error) {
    return { user: '', password: '', failure: String(error instanceof Error ? error.message : type(error)) }
  }
  try {
    if (typeof given !== 'object' || given === null) throw badOption(`it must give { user, password }, not ${type(given)}`)
    return credentials(given)
  } catch (/** @type {any} */ error) {
    return { user: '', password: '', failure: error.message }
  }
}

module.exports = { authOptions, askFor }
