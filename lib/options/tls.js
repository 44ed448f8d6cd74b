'use strict'

// Option `tls`: certificates and keys as PEM, in the forms that tls.connect() of Node.js accepts, or as file paths.

const crypto = require('node:crypto')
const fs = require('node:fs')
const nodeTls = require('node:tls')
const { badOption } = require('../errors')
const { given, kind, string, type } = require('./validate')

/**
 * @typedef {{ ca: string, system: boolean, cert: string | null, key: string | null, pins: string[] }} TlsOptions
 *   `ca`, `cert` and `key` are PEM; `pins` are SHA-256 in base64; `system`: also trust the operating system's authorities
 */

const PEM = /-----BEGIN [^-]+-----[^-]+-----END [^-]+-----/g
/** A pin as in RFC 7469: base64 of 32 bytes. */
const PIN = /^sha256\/([A-Za-z0-9+/]{43}=)$/

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
  const own = given(tls, ['ca', 'cert', 'key', 'servername', 'pins'], { what: "option 'tls'", within: 'tls.' })
  const system = own.ca === undefined
  const ca = system ? trustedByNode() : certificates('ca', own.ca)
  if ((own.cert === undefined) !== (own.key === undefined)) {
    throw badOption("options 'tls.cert' and 'tls.key' need each other")
  }
  const identity = own.cert === undefined ? { cert: null, key: null } : pair(own.cert, own.key)
  return { tls: { ca, system, ...identity, pins: pins(own.pins) }, servername: servername(own) }
}

/** @param {Record<string, any>} tls */
function servername ({ servername: name }) {
  if (name === undefined) return null
  if (string('tls.servername', name) === '') throw badOption("option 'tls.servername' must not be empty")
  return name
}

/**
 * @param {any} pins
 * @returns {string[]}
 */
function pins (pins) {
  if (pins === undefined) return []
  if (!Array.isArray(pins)) throw badOption(`option 'tls.pins' must be an array of strings, not ${kind(pins)}`)
  if (pins.length === 0) throw badOption("option 'tls.pins' must not be empty: leave it out to accept any key")
  // Not map(), which skips holes in an array.
  return Array.from(pins, pin => {
    const match = PIN.exec(string('tls.pins', pin))
    if (match === null) throw badOption("option 'tls.pins' must hold 'sha256/' and the base64 of a SHA-256, as 'sha256/AAAA…='")
    return match[1]
  })
}

/** Returns the authorities that Node.js trusts: the bundled ones and those of NODE_EXTRA_CA_CERTS. */
function trustedByNode () {
  const { getCACertificates } = /** @type {any} */ (nodeTls)
  if (getCACertificates !== undefined) return getCACertificates('default').join('\n')
  // Node.js before 22.15 has no API for the extra ones.
  return [...nodeTls.rootCertificates, ...extraCertificates()].join('\n')
}

/** @returns {string[]} */
function extraCertificates () {
  const file = process.env.NODE_EXTRA_CA_CERTS
  if (!file) return []
  try {
    return fs.readFileSync(file, 'utf8').match(PEM) ?? []
  } catch {
    // Node.js has already warned about it at startup.
    return []
  }
}

/**
 * @param {string} option
 * @param {any} value
 */
function pem (option, value) {
  const parts = Array.isArray(value) ? value : [value]
  const text = Array.from(parts, part => content(option, part)).join('\n')
  if (text.match(PEM) === null) throw badOption(`option 'tls.${option}' holds no PEM`)
  return text
}

/**
 * Returns PEM, read from a file if the value is a path.
 * @param {string} option
 * @param {any} part
 */
function content (option, part) {
  if (Buffer.isBuffer(part)) return part.toString()
  if (typeof part !== 'string') {
    throw badOption(`option 'tls.${option}' must be PEM, as a string or a Buffer, or the path of a file that holds it, not ${type(part)}`)
  }
  if (part.includes('-----BEGIN')) return part
  try {
    return fs.readFileSync(part, 'utf8')
  } catch (/** @type {any} */ error) {
    // Does not quote the path: it may be a key without its first line.
    throw badOption(`option 'tls.${option}' is neither PEM nor the path of a file that can be read (${error.code})`)
  }
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
 * Checks a certificate chain and its key.
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
