'use strict'

// Option `tls`: certificates and keys as PEM, in the shapes that Node's own tls.connect() takes.

const crypto = require('node:crypto')
const nodeTls = require('node:tls')
const { badOption } = require('./errors')
const { kind, names, string, type } = require('./validate')

/** @typedef {{ ca: string, cert: string | null, key: string | null }} TlsOptions all PEM */

const PEM = /-----BEGIN [^-]+-----[^-]+-----END [^-]+-----/g

/**
 * @param {any} tls
 * @returns {{ tls: TlsOptions | null, servername: string | null }}
 */
function tlsOptions (tls) {
  if (tls === undefined || tls === false) return { tls: null, servername: null }
  if (tls === true) return tlsOptions({})
  if (typeof tls !== 'object' || tls === null || Array.isArray(tls)) {
    throw badOption(`option 'tls' must be true or an object, not ${kind(tls)}`)
  }
  names(tls, ['ca', 'cert', 'key', 'servername'], "option 'tls'")
  const ca = tls.ca === undefined ? trustedByNode() : certificates('ca', tls.ca)
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    throw badOption("options 'tls.cert' and 'tls.key' need each other")
  }
  if (tls.servername !== undefined && string('tls.servername', tls.servername) === '') {
    throw badOption("option 'tls.servername' must not be empty")
  }
  const own = tls.cert === undefined ? { cert: null, key: null } : pair(tls.cert, tls.key)
  return { tls: { ca, ...own }, servername: tls.servername ?? null }
}

/** The authorities that Node.js itself trusts. */
function trustedByNode () {
  const { getCACertificates } = /** @type {any} */ (nodeTls)
  return (getCACertificates?.('default') ?? nodeTls.rootCertificates).join('\n')
}

/**
 * @param {string} option
 * @param {any} value
 */
function pem (option, value) {
  const parts = Array.isArray(value) ? value : [value]
  for (const part of parts) {
    if (typeof part !== 'string' && !Buffer.isBuffer(part)) {
      throw badOption(`option 'tls.${option}' must be PEM, as a string or a Buffer, not ${type(part)}`)
    }
  }
  const text = parts.map(String).join('\n')
  if (text.match(PEM) === null) throw badOption(`option 'tls.${option}' holds no PEM: give the content of the file, not its path`)
  return text
}

/**
 * @param {string} option
 * @param {any} value
 */
function certificates (option, value) {
  const text = pem(option, value)
  for (const block of text.match(PEM) ?? []) parsed(option, () => new crypto.X509Certificate(block))
  return text
}

/**
 * A certificate, with those that lead to its authority behind it, and its key.
 * @param {any} cert
 * @param {any} key
 */
function pair (cert, key) {
  const chain = certificates('cert', cert)
  const text = pem('key', key)
  const own = parsed('key', () => crypto.createPrivateKey(text))
  if (!new crypto.X509Certificate(chain).checkPrivateKey(own)) throw badOption("option 'tls.key' is not the key to 'tls.cert'")
  return { cert: chain, key: /** @type {string} */ (own.export({ type: 'pkcs8', format: 'pem' })) }
}

/**
 * @template T
 * @param {string} option
 * @param {() => T} parse
 */
function parsed (option, parse) {
  try {
    return parse()
  } catch (error) {
    throw badOption(`option 'tls.${option}' cannot be read`, error)
  }
}

module.exports = { tlsOptions }
