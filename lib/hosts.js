'use strict'

// Where to connect to, in every way it may be written.

const net = require('node:net')
const { badOption } = require('./errors')
const { integer, kind, string } = require('./validate')

/** @typedef {{ name: string, port: number, tlsName: string | null }} Host */

const DEFAULT_PORT = 3000

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
 * `host`, `host:port`, `host:tlsName:port`, an IPv6 address bare or in brackets.
 * @param {string} text
 * @returns {Host}
 */
function parseHost (text) {
  const spec = text.trim()
  if (net.isIPv6(spec)) return { name: spec, port: DEFAULT_PORT, tlsName: null }
  const match = /^(?:\[([^\]]*)\]|([^:[\]\s]+))(?::([^:\s]*))?(?::([^:\s]*))?$/.exec(spec)
  if (match === null) throw badOption("option 'hosts' has an entry that is neither 'host', 'host:port' nor '[IPv6]:port'")
  const [, bracketed, plain, second, third] = match
  if (bracketed !== undefined && !net.isIPv6(bracketed)) {
    throw badOption("option 'hosts' has an entry in brackets that is no IPv6 address")
  }
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
  const unwrapped = /^\[(.*)\]$/.exec(text)?.[1] ?? text
  if (unwrapped === '' || (!net.isIPv6(unwrapped) && /[:[\]\s,]/.test(unwrapped))) {
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
