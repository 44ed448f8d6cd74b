'use strict'

// The one place that reads options: it checks them, applies defaults and makes the complete structs for the native core.

const net = require('node:net')
const { authOptions } = require('./auth')
const { badOption } = require('../errors')
const { DEFAULT_PORT, parseHosts } = require('./hosts')
const { ownerArgument, ownerOption } = require('./owner')
const { protectionOptions } = require('../dev-server/security-options')
const { encryptionKeys, hashSecret } = require('./secrets')
const { tlsOptions } = require('./tls')
const { boolean, bytes, choice, given, integer, kind, name, names, seconds, string } = require('./validate')

/**
 * @typedef {import('./hosts').Host} Host
 * @typedef {{ hosts: Host[], auth: import('./auth').AuthOptions | null,
 *   tls: import('./tls').TlsOptions | null, timeout: number, connectTimeout: number,
 *   maxConnsPerNode: number, clusterName: string | null, servicesAlternate: boolean,
 *   rackIds: number[], maxPending: number, ioThread: 'auto' | 'always' }} ClusterOptions options of the connection
 * @typedef {{ namespace: string, set: string, bin: string, prefix: string, format: 'map' | 'json',
 *   encryptionKeys: import('./secrets').Secret[] | null, hashIds: import('./secrets').Secret | null,
 *   conflict: 'merge' | 'overwrite', storeIds: boolean, tombstones: boolean,
 *   durableDelete: boolean, absoluteTtl: number | null, touchAfter: number,
 *   touchOnRead: number | null, watchInterval: number, ttl: number, maxSessionsPerUser: { limit: number, evict: 'oldest' | 'idle' } | null }} ViewOptions options of a view of the store; times in milliseconds
 */

/** Seconds: one day, the same default as connect-redis. */
const DEFAULT_TTL = 86_400
/** Bytes: the server's limit for the name of a cluster. */
const LONGEST_CLUSTER_NAME = 63
/** The server's limit for `rack-id` (MAX_RACK_ID in as/include/fabric/partition_balance.h). */
const LARGEST_RACK_ID = 1_000_000
/** The most sessions that `maxSessionsPerUser` may allow: a login reads all of them. */
const LARGEST_LIMIT = 1_000
/** The bins that the store itself writes (src/store/layout.rs). */
const RESERVED_BINS = ['cookie', 'expires', 'created', 'user', 'prefix', 'login', 'session', 'alias', 'renewed', 'renews']

const CONNECTION = [
  'hosts', 'auth', 'user', 'password', 'authMode', 'tls', 'timeout', 'connectTimeout', 'maxConnsPerNode', 'maxPending',
  'clusterName', 'servicesAlternate', 'rackIds', 'ioThread'
]
const PLACE = ['namespace', 'set', 'bin']
const RECORDS = [
  'prefix', 'ttl', 'format', 'encryptionKeys', 'hashIds', 'storeIds', 'tombstones', 'durableDelete', 'absoluteTtl', 'touchOnRead', 'replacer', 'reviver'
]
const EXPRESS = ['client', 'conflict', 'touchAfter', 'user', 'maxSessionsPerUser', 'watchInterval', 'whenDown']
/** Seconds: the range of `watchInterval`. */
const WATCH_INTERVAL = { least: 0.1, most: 3_600 }

const SESSION_STORE = [...CONNECTION, ...PLACE, ...RECORDS]
const AEROSPIKE_STORE = [...new Set([...SESSION_STORE, ...EXPRESS])]

/** @param {any} name */
function clusterName (name) {
  if (name === undefined) return null
  string('clusterName', name)
  const size = Buffer.byteLength(name)
  if (size < 1 || size > LONGEST_CLUSTER_NAME) throw badOption(`option 'clusterName' must be 1 to ${LONGEST_CLUSTER_NAME} bytes long`)
  return name
}

/**
 * @param {any} ids
 * @param {string} option
 * @returns {number[]}
 */
function rackIds (ids, option) {
  if (ids === undefined) return []
  if (!Array.isArray(ids)) return [integer(option, ids, 0, LARGEST_RACK_ID)]
  if (ids.length === 0) throw badOption(`option '${option}' must not be empty: leave it out for no racks`)
  return ids.map(id => integer(option, id, 0, LARGEST_RACK_ID))
}

/**
 * @param {any} options
 * @returns {ClusterOptions}
 */
function cluster (options) {
  const hosts = parseHosts(options.hosts ?? (process.env.AEROSPIKE_HOSTS || `localhost:${DEFAULT_PORT}`))
  const { tls, servername } = tlsOptions(options.tls)
  return {
    hosts: hosts.map(host => ({ ...host, tlsName: host.tlsName ?? servername })),
    auth: authOptions(options, tls),
    tls,
    timeout: integer('timeout', options.timeout ?? 3_000, 1, 600_000, ' of milliseconds'),
    connectTimeout: integer('connectTimeout', options.connectTimeout ?? 5_000, 1, 600_000, ' of milliseconds'),
    maxConnsPerNode: integer('maxConnsPerNode', options.maxConnsPerNode ?? 64, 1, 10_000),
    clusterName: clusterName(options.clusterName),
    servicesAlternate: boolean('servicesAlternate', options.servicesAlternate ?? false),
    rackIds: rackIds(options.rackIds, 'rackIds'),
    maxPending: integer('maxPending', options.maxPending ?? 100_000, 1, 10_000_000),
    ioThread: choice('ioThread', options.ioThread ?? 'auto', /** @type {const} */ (['auto', 'always']))
  }
}

/**
 * @param {any} options
 * @param {number} ttl seconds
 * @returns {ViewOptions}
 */
function view (options, ttl) {
  const bin = name('bin', options.bin ?? 'data')
  if (RESERVED_BINS.includes(bin)) throw badOption(`option 'bin' must not be '${bin}': the store has its own bin of that name`)
  // Protecting options have a default only if they are left out: `null` is rejected.
  const { absoluteTtl, durableDelete = false, prefix = '', tombstones = false, touchOnRead } = options
  boolean('tombstones', tombstones)
  boolean('durableDelete', durableDelete)
  if (tombstones && durableDelete) throw badOption("options 'tombstones' and 'durableDelete' do the same in two ways: choose one")
  const storeIds = boolean('storeIds', options.storeIds ?? false)
  const hashIds = options.hashIds === undefined ? null : hashSecret(options.hashIds)
  if (storeIds && hashIds !== null) throw badOption("options 'storeIds' and 'hashIds' contradict each other: hashed ids cannot be returned")
  return {
    namespace: name('namespace', options.namespace ?? 'test'),
    set: name('set', options.set ?? 'sessions'),
    bin,
    prefix: string('prefix', prefix),
    format: choice('format', options.format ?? 'map', /** @type {const} */ (['map', 'json'])),
    encryptionKeys: options.encryptionKeys === undefined ? null : encryptionKeys(options.encryptionKeys),
    hashIds,
    conflict: choice('conflict', options.conflict ?? 'merge', /** @type {const} */ (['merge', 'overwrite'])),
    storeIds,
    tombstones,
    durableDelete,
    absoluteTtl: absoluteTtl === undefined ? null : Math.ceil(seconds('absoluteTtl', absoluteTtl) * 1_000),
    touchAfter: (options.touchAfter ?? 0) === 0 ? 0 : Math.ceil(seconds('touchAfter', options.touchAfter) * 1_000),
    touchOnRead: touchOnRead === undefined ? null : integer('touchOnRead', touchOnRead, 1, 100, ' of percent'),
    watchInterval: watchInterval(options.watchInterval ?? 5),
    ttl: Math.ceil(ttl * 1_000),
    maxSessionsPerUser: maxSessionsPerUser(options)
  }
}

/**
 * @param {any} options
 * @returns {{ limit: number, evict: 'oldest' | 'idle' } | null}
 */
function maxSessionsPerUser ({ maxSessionsPerUser: value }) {
  if (value === undefined) return null
  const option = 'maxSessionsPerUser'
  if (typeof value !== 'object') return { limit: integer(option, value, 1, LARGEST_LIMIT), evict: 'oldest' }
  names(value, ['limit', 'evict'], `option '${option}'`)
  const { limit, evict = 'oldest' } = value
  return {
    limit: integer(`${option}.limit`, limit, 1, LARGEST_LIMIT),
    evict: choice(`${option}.evict`, evict, /** @type {const} */ (['oldest', 'idle']))
  }
}

/**
 * Checks the functions that turn sessions into JSON and back.
 *
 * @param {any} options
 * @returns {{ replacer: import('../json').Replacer | null, reviver: import('../json').Reviver | null }}
 */
function jsonOptions ({ replacer = null, reviver = null }) {
  if (replacer !== null && typeof replacer !== 'function' && !Array.isArray(replacer)) {
    throw badOption(`option 'replacer' must be a function or an array of keys, not ${kind(replacer)}`)
  }
  if (reviver !== null && typeof reviver !== 'function') {
    throw badOption(`option 'reviver' must be a function, not ${kind(reviver)}`)
  }
  return { replacer, reviver }
}

/**
 * @param {any} interval seconds
 * @returns {number} milliseconds
 */
function watchInterval (interval) {
  const { least, most } = WATCH_INTERVAL
  seconds('watchInterval', interval)
  if (interval < least || interval > most) throw badOption(`option 'watchInterval' must be from ${least} to ${most} seconds`)
  return Math.ceil(interval * 1_000)
}

/**
 * Checks the options of a SessionStore.
 * @param {any} [options]
 */
function sessionStoreOptions (options = {}) {
  const own = given(options, SESSION_STORE)
  const ttl = seconds('ttl', own.ttl ?? DEFAULT_TTL)
  const ask = typeof own.auth === 'function' ? own.auth : undefined
  return { ttl, ask, cluster: cluster(own), view: view(own, ttl), json: jsonOptions(own) }
}

/**
 * Checks the options of an AerospikeStore: its own, and those of its client unless it is given a shared one.
 * @param {any} [options]
 */
function aerospikeStoreOptions (options = {}) {
  // Without a password, option `user` names the owner of a session, which protects nothing. With a password it is a login.
  const own = given(options, AEROSPIKE_STORE, { harmless: 'user' })
  const { client, ttl, whenDown } = own
  if (client !== undefined) {
    const stray = [...CONNECTION, ...PLACE].find(name => name in own && !(name === 'user' && !('password' in own)))
    if (stray !== undefined) throw badOption(`option '${stray}' belongs to the client: give it to the SessionStore`)
  }
  if (ttl !== undefined && typeof ttl !== 'function') seconds('ttl', ttl)
  const user = ownerOption(own)
  if (own.maxSessionsPerUser !== undefined && user === undefined) {
    throw badOption("option 'maxSessionsPerUser' needs option 'user', the owner of a session")
  }
  return {
    client,
    ttl,
    given: own,
    user,
    whenDown: choice('whenDown', whenDown ?? 'error', /** @type {const} */ (['error', 'anonymous']))
  }
}

/**
 * Checks the options of a framework's store: those of an AerospikeStore, except those for express-session only.
 * @param {any} [options]
 */
function frameworkOptions (options = {}) {
  names(options, AEROSPIKE_STORE.filter(name => name !== 'whenDown'))
  return options
}

/**
 * Returns the options of the client that a store creates for itself.
 * @param {any} given
 */
function clientOptions (given) {
  const names = typeof given.user === 'function' || !('password' in given) ? SESSION_STORE.filter(name => name !== 'user') : SESSION_STORE
  const entries = names.filter(name => name in given && name !== 'ttl').map(name => [name, given[name]])
  if (typeof given.ttl === 'number') entries.push(['ttl', given.ttl])
  return Object.fromEntries(entries)
}

/**
 * Checks the options of one call, such as `{ ttl }`.
 * @param {any} options
 * @returns {{ ttl?: number }}
 */
function callOptions (options) {
  if (options === undefined || options === null) return {}
  names(options, ['ttl'])
  return options.ttl === undefined ? {} : { ttl: seconds('ttl', options.ttl) }
}

/**
 * Checks the options of a scan of all sessions.
 * @param {any} [options]
 * @returns {{ batch: number, onProgress?: (progress: { done: number, pruned: number }) => any }}
 */
function scanOptions (options = {}) {
  names(options, ['batch', 'onProgress'])
  const { onProgress } = options
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw badOption(`option 'onProgress' must be a function, not ${kind(onProgress)}`)
  }
  return { batch: integer('batch', options.batch ?? 1_000, 1, 100_000), onProgress }
}

/**
 * Checks the options of `sessionsOf`.
 * @param {any} [options]
 * @returns {{ limit: number }}
 */
function sessionsOfOptions (options = {}) {
  names(options, ['limit'])
  return { limit: integer('limit', options.limit ?? 1_000, 1, 10_000) }
}

/**
 * Checks the options of `destroyByDigest`. If there are any, they must name the user: `{ of: req.session.userId }` of a visitor
 * who is not logged in must not remove the session of another user.
 *
 * @param {any} [options]
 * @returns {string | undefined} the owner; undefined: whoever it is
 */
function destroyByDigestOptions (options) {
  if (options === undefined) return undefined
  names(options, ['of'])
  if (!('of' in options)) throw badOption("option 'of' is missing: give the user, or leave out the options to remove the session of any user")
  return ownerArgument(options.of)
}

/**
 * Checks the options of `watch`.
 * @param {any} [options]
 * @returns {{ touch: boolean }}
 */
function watchOptions (options = {}) {
  names(options, ['touch'])
  return { touch: boolean('touch', options.touch ?? false) }
}

/**
 * Checks the options of a DevServer.
 * @param {any} [options]
 */
function devServerOptions (options = {}) {
  names(options, [
    'host', 'port', 'data', 'nodes', 'replicationFactor', 'heartbeatTimeout', 'migrationTime', 'memory', 'clusterName', 'racks',
    'security', 'tls'
  ])
  const host = string('host', options.host ?? '127.0.0.1')
  if (net.isIP(host) === 0) throw badOption("option 'host' must be an IP address")
  const data = options.data === undefined ? null : string('data', options.data)
  if (data === '') throw badOption("option 'data' must not be empty")
  const nodes = integer('nodes', options.nodes ?? 1, 1, 8)
  const racks = options.racks === undefined ? [] : rackIds(options.racks, 'racks')
  if (racks.length > 0 && racks.length !== nodes) throw badOption("option 'racks' must have one number for each node")
  return {
    host,
    port: integer('port', options.port ?? 0, 0, 65_535),
    data,
    memory: bytes('memory', options.memory ?? '1g'),
    nodes,
    racks,
    replicationFactor: integer('replicationFactor', options.replicationFactor ?? 2, 1, 8),
    heartbeatTimeout: integer('heartbeatTimeout', options.heartbeatTimeout ?? 1_500, 0, 600_000),
    migrationTime: integer('migrationTime', options.migrationTime ?? 500, 0, 600_000),
    clusterName: clusterName(options.clusterName) ?? '',
    ...protectionOptions(options)
  }
}

/**
 * Checks the number of a node of a DevServer.
 * @param {unknown} node
 * @returns {number}
 */
function nodeNumber (node) {
  if (!Number.isInteger(node) || Number(node) < 0) throw badOption('a node is named by its number, from 0')
  return Number(node)
}

module.exports = {
  CONNECTION,
  aerospikeStoreOptions,
  callOptions,
  clientOptions,
  destroyByDigestOptions,
  devServerOptions,
  frameworkOptions,
  jsonOptions,
  nodeNumber,
  scanOptions,
  sessionStoreOptions,
  sessionsOfOptions,
  view,
  watchOptions
}
