'use strict'

// Option `hosts`, in all its forms.

const net = require('node:net')
const { badOption } = require('../errors')
const { integer, kind, string } = require('./validate')

/** @typedef {{ name: string, port: number, tlsName: string | null }} Host */

const DEFAULT_PORT = 3000

/** The start of a URL. Aerospike has no URLs; those of other databases are given by mistake. */
const SCHEME = /^\s*[a-z][a-z0-9+.-]*:\/\//i

/**
 * Rejects the notations of other databases and programs, before a part of one is taken for a host name.
 * Messages quote only the scheme: the rest may contain a password.
 *
 * @param {string} text
 */
function rejectOtherNotations (text) {
  const [scheme] = SCHEME.exec(text) ?? []
  if (scheme !== undefined) {
    throw badOption(`option 'hosts' has a URL: write 'host:port' without '${scheme.trim()}', and a login in option 'auth'`)
  }
  if (text.includes(';')) throw badOption("option 'hosts' has a ';': put ',' between hosts, or give an array")
  if (text.includes('@')) throw badOption("option 'hosts' has an '@': write 'host:port', and a login in option 'auth'")
  if (/[/?#\\]/.test(text)) throw badOption("option 'hosts' has an entry with a path: write 'host:port', and the namespace in option 'namespace'")
}

/**
 * Returns true if a text can be a host name or an IPv4 address.
 * @param {string} name
 */
function isName (name) {
  return /^[\p{L}\p{M}\p{N}._-]+$/u.test(name)
}

/**
 * @param {string} text
 * @returns {number}
 */
function port (text) {
  const number = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (number < 1 || number > 65_535) throw badOption("option 'hosts' has a port that is no number from 1 to 65535")
  return number
}

/**
 * Parses `host`, `host:port`, `host:tlsName:port`, or an IPv6 address with or without brackets.
 * @param {string} text
 * @returns {Host}
 */
function parseHost (text) {
  rejectOtherNotations(text)
  const spec = text.trim()
  if (net.isIPv6(spec)) return { name: spec, port: DEFAULT_PORT, tlsName: null }
  const match = /^(?:\[([^\]]*)\]|([^:[\]\s]+))(?::([^:\s]*))?(?::([^:\s]*))?$/.exec(spec)
  if (match === null) throw badOption("option 'hosts' has an entry that is neither 'host', 'host:port' nor '[IPv6]:port'")
  const [, bracketed, plain, second, third] = match
  if (bracketed !== undefined && !net.isIPv6(bracketed)) {
    throw badOption("option 'hosts' has an entry in brackets that is no IPv6 address")
  }
  if (plain !== undefined && !isName(plain)) throw badOption("option 'hosts' has an entry whose host is neither a name nor an address")
  const host = bracketed ?? plain
  if (third !== undefined) {
    if (second === '') throw badOption("option 'hosts' has an empty TLS name")
    return { name: host, port: port(third), tlsName: second }
  }
  return { name: host, port: second === undefined ? DEFAULT_PORT : port(second), tlsName: null }
}

/**
 * @param {any} host
 * @returns {Host[]}
 */
function hostsOf (host) {
  if (typeof host === 'string') return host.split(',').map(parseHost)
  if (typeof host !== 'object' || host === null || Array.isArray(host)) {
    throw badOption(`option 'hosts' has an entry that is neither a string nor { host, port, tlsName }, but ${kind(host)}`)
  }
  for (const key of Object.keys(host)) {
    if (!['host', 'port', 'tlsName'].includes(key)) {
      throw badOption(`option 'hosts' has an entry with an unknown key '${key}': it takes host, port and tlsName`)
    }
  }
  const text = string('hosts', host.host).trim()
  rejectOtherNotations(text)
  const unwrapped = /^\[(.*)\]$/.exec(text)?.[1] ?? text
  if (unwrapped === '' || (!net.isIPv6(unwrapped) && !isName(unwrapped))) {
    throw badOption("option 'hosts' has an entry whose host is neither a name nor an address")
  }
  if (host.tlsName !== undefined && (typeof host.tlsName !== 'string' || host.tlsName === '')) {
    throw badOption("option 'hosts' has an entry whose tlsName is not a string")
  }
  return [{
    name: unwrapped,
    port: host.port === undefined ? DEFAULT_PORT : integer('hosts[].port', host.port, 1, 65_535),
    tlsName: host.tlsName ?? null
  }]
}

/**
 * @param {any} hosts
 * @returns {Host[]}
 */
function parseHosts (hosts) {
  const list = Array.isArray(hosts) ? hosts.flatMap(hostsOf) : hostsOf(hosts)
  if (list.length === 0) throw badOption("option 'hosts' must name at least one host")
  return list
}

module.exports = { parseHosts, DEFAULT_PORT }
