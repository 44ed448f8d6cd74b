'use strict'

// Options `security` and `tls` of a DevServer.

const { badOption } = require('../errors')
const { boolean, integer, kind, names, string } = require('../options/validate')

/** Bytes: the server's limit (as/include/base/security.h). */
const LONGEST_NAME = 63
/** Seconds: the server's limit for `session-ttl`. */
const LONGEST_SESSION_TTL = 864_000

/** @param {any} options */
function protectionOptions ({ security, tls }) {
  return { security: securityOptions(security), tls: tlsOptions(tls) }
}

/** @param {any} security */
function securityOptions (security) {
  if (security === undefined || security === false) return null
  names(security, ['users', 'sessionTtl'], "option 'security'")
  const { users = {}, sessionTtl = 86_400 } = security
  if (typeof users !== 'object' || users === null || Array.isArray(users)) {
    throw badOption(`option 'security.users' must be an object, not ${kind(users)}`)
  }
  return {
    users: Object.fromEntries(Object.entries(users).map(([name, user]) => [name, userOption(name, user)])),
    sessionTtl: integer('security.sessionTtl', sessionTtl, 1, LONGEST_SESSION_TTL, ' of seconds')
  }
}

/**
 * @param {string} name
 * @param {any} user
 */
function userOption (name, user) {
  if (name === '' || Buffer.byteLength(name) > LONGEST_NAME) {
    throw badOption(`option 'security.users' has a name that is not 1 to ${LONGEST_NAME} bytes long`)
  }
  if (typeof user !== 'object' || user === null) return string('security.users', user)
  names(user, ['password', 'roles'], "option 'security.users'")
  const { password, roles } = user
  string('security.users', password)
  if (roles === undefined) return password
  if (!Array.isArray(roles)) throw badOption(`option 'security.users' has roles that are no array, but ${kind(roles)}`)
  return { password, roles: roles.map(role => string('security.users', role)) }
}

/** @param {any} tls */
function tlsOptions (tls) {
  if (tls === undefined || tls === false) return null
  if (tls === true) return {}
  names(tls, ['mutual', 'names', 'validFrom', 'validTo'], "option 'tls'")
  const { mutual = false, names: subjects } = tls
  boolean('tls.mutual', mutual)
  const options = { mutual, validFrom: time('tls.validFrom', tls.validFrom), validTo: time('tls.validTo', tls.validTo) }
  if (subjects === undefined) return options
  if (!Array.isArray(subjects) || subjects.length === 0) throw badOption("option 'tls.names' must be an array of at least one name")
  return { ...options, names: subjects.map(name => string('tls.names', name)) }
}

/**
 * @param {string} option
 * @param {unknown} date
 * @returns {number | null} seconds since 1970
 */
function time (option, date) {
  if (date === undefined) return null
  // X.509 certificates cannot hold a later year than 9999.
  const isDate = date instanceof Date && date.getTime() >= 0 && date.getUTCFullYear() <= 9999
  if (!isDate) throw badOption(`option '${option}' must be a Date from 1970 to 9999`)
  return Math.floor(date.getTime() / 1_000)
}

/**
 * Checks a user's new password.
 * @param {unknown} user
 * @param {unknown} password
 */
function passwordChange (user, password) {
  return { user: string('user', user), password: string('password', password) }
}

/**
 * @param {any} [options]
 * @returns {{ disconnect: boolean }}
 */
function expiryOptions (options = {}) {
  names(options, ['disconnect'])
  return { disconnect: boolean('disconnect', options.disconnect ?? false) }
}

module.exports = { protectionOptions, passwordChange, expiryOptions }
