'use strict'

// Collects the facts that the doctor checks. The checks are in checks/.

const { elapsed } = require('../clock')
const { Connection } = require('../connection')
const operations = require('../operations')
const { sessionStoreOptions } = require('../options/options')
const { SessionStore } = require('../stores/session-store')
const { skews } = require('./clock')
const { formats } = require('./formats')
const { failureFacts, infoCommands, nodeFacts, userIndex } = require('./facts')
const { reach } = require('./reach')
const { smokeTest } = require('./smoke-test')

/** The prefix of throw-away sessions, so that applications that share the set do not see them. */
const PREFIX = 'aerospike-session-doctor:'
/** Seconds: the lifetime of a throw-away session, in case the doctor is killed. */
const TTL = 600

/**
 * @param {Record<string, any>} options of a SessionStore
 * @param {{ rounds: number }} how
 * @returns {Promise<import('./facts').Facts>}
 */
async function collect (options, { rounds }) {
  const { cluster, view } = sessionStoreOptions(options)
  const { namespace, set, bin, prefix } = view
  const how = { timeout: cluster.connectTimeout, encrypted: cluster.tls !== null }
  const seeds = await Promise.all(cluster.hosts.map(host => reach(host, how)))
  const target = { hosts: seeds.map(({ host }) => host), namespace, set, bin, prefix, tls: how.encrypted, timeout: cluster.timeout }
  const sessions = new SessionStore({ ...options, prefix: PREFIX, ttl: TTL })
  // Warnings are reported as findings, so they must not become process warnings.
  sessions.on('warning', () => {})
  try {
    const began = elapsed()
    // A missing namespace is a finding of its own, which lists the existing ones.
    await Promise.resolve(sessions.ready()).catch(error => { if (error.code !== 'NAMESPACE') throw error })
    const connected = elapsed() - began
    return { target, seeds, connected, ...await examine(sessions, target, rounds) }
  } catch (error) {
    return { target, seeds, failure: failureFacts(error), nodes: [], skews: [] }
  } finally {
    await sessions.close()
  }
}

/**
 * @param {SessionStore} sessions
 * @param {import('./facts').Target} target
 * @param {number} rounds
 */
async function examine (sessions, target, rounds) {
  const connection = /** @type {import('../connection').Connection} */ (Connection.of(sessions))
  const ask = (/** @type {string[]} */ commands) => connection.request(operations.info, undefined, [commands])
  const answers = await ask(Object.values(infoCommands(target)))
  const nodes = answers.map((/** @type {any} */ node) => nodeFacts(node, target))
  // If the namespace does not exist, there is nothing more to collect.
  if (nodes.every((/** @type {any} */ node) => node.namespace === undefined && node.error === undefined)) return { nodes, skews: [] }
  const [clockSkews, tried] = await Promise.all([skews(command => ask([command]), target.namespace), smokeTest(sessions, rounds)])
  const compared = Object.keys(tried.failures).length === 0 ? await formats(sessions, nodes, rounds) : undefined
  return { nodes, skews: clockSkews, smokeTest: tried, formats: compared, userQuery: await queryUser(connection, nodes, target) }
}

/**
 * Queries the sessions of a user that does not exist, if there is an index. Without one it would read the whole set.
 *
 * @param {import('../connection').Connection} connection
 * @param {import('./facts').NodeFacts[]} nodes
 * @param {import('./facts').Target} target
 */
async function queryUser (connection, nodes, target) {
  if (!nodes.some(node => userIndex(node, target) !== undefined)) return undefined
  try {
    await connection.request(operations.countOf, undefined, [PREFIX])
    return /** @type {const} */ ('ok')
  } catch (error) {
    return failureFacts(error)
  }
}

module.exports = { collect }
