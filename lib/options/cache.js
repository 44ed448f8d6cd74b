'use strict'

// The options of a cache: where its entries are, and how they are stored.

const { badOption } = require('../errors')
const { CONNECTION, view } = require('./options')
const { LAST_TIME, boolean, given, kind, string } = require('./validate')

/** Options that a cache takes over from its client unless it is given its own. */
const RECORDS = ['encryptionKeys', 'hashIds', 'durableDelete']
/** Options of a connection of its own. */
const OWN = [...CONNECTION, 'namespace', ...RECORDS]
const CACHE = ['client', 'set', 'prefix', ...OWN]

/**
 * Separates prefix, namespace and key: U+001F, Unicode's unit separator, which neither prefix nor namespace may contain. With a usual character,
 * namespace `a` with key `b:c` and namespace `a:b` with key `c` would be the same.
 */
const SEPARATOR = '\x1f'

/**
 * Checks the options of a cache.
 *
 * @param {any} options
 * @param {readonly string[]} more the names of further options
 * @returns {{ client: any, own: Record<string, any>, all: Record<string, any> }} own: the options of a client of its own
 */
function cacheOptions (options, more) {
  const all = given(options, [...CACHE, ...more])
  const { client } = all
  if (client !== undefined) {
    const stray = [...CONNECTION, 'namespace'].find(name => name in all)
    if (stray !== undefined) throw badOption(`option '${stray}' belongs to the client: give it to the SessionStore`)
  }
  part('prefix', all.prefix ?? '')
  return { client, own: Object.fromEntries(OWN.filter(name => name in all).map(name => [name, all[name]])), all }
}

/**
 * Returns the view for the entries of one namespace of a cache.
 *
 * @param {import('./options').ViewOptions} client the view of the client
 * @param {Record<string, any>} all checked by `cacheOptions`
 * @param {{ set: string, storeKeys: boolean }} standard
 * @param {string} [namespace]
 * @returns {import('./options').ViewOptions}
 */
function cacheView (client, all, standard, namespace = '') {
  const { prefix = '', set = standard.set } = all
  /** @type {Record<string, any>} */
  const records = {}
  for (const name of RECORDS) {
    const value = all[name] ?? client[/** @type {keyof typeof client} */ (name)]
    if (value !== null) records[name] = value
  }
  if (set === client.set) throw badOption(`option 'set' must not be '${set}': the client keeps its sessions there`)
  const isShared = prefix === '' && part('namespace', namespace) === ''
  const own = view({ ...records, namespace: client.namespace, set, prefix: isShared ? '' : prefix + SEPARATOR + namespace + SEPARATOR }, 1)
  const { hashIds } = own
  const storeKeys = boolean('storeKeys', all.storeKeys ?? (standard.storeKeys && hashIds === null))
  if (storeKeys && hashIds !== null) throw badOption("options 'storeKeys' and 'hashIds' contradict each other: hashed keys cannot be told")
  return { ...own, storeIds: storeKeys }
}

/**
 * @param {string} option
 * @param {any} value
 */
function part (option, value) {
  string(option, value)
  if (value.includes(SEPARATOR)) throw badOption(`option '${option}' must not contain the character U+001F`)
  return value
}

/**
 * Returns when an entry that is stored now ends, in milliseconds since 1970, or 0 if it does not end.
 *
 * @param {any} ttl milliseconds; undefined, null, 0 and Infinity: it does not end
 * @param {number} now
 */
function endAfter (ttl, now) {
  if (ttl === undefined || ttl === null || ttl === 0 || ttl === Infinity) return 0
  if (typeof ttl !== 'number' || Number.isNaN(ttl)) throw badOption(`a ttl must be a number of milliseconds, not ${kind(ttl)}`)
  return Math.max(1, Math.min(Math.ceil(now + ttl), LAST_TIME))
}

module.exports = { cacheOptions, cacheView, endAfter }
