'use strict'

// Everything the doctor looks at. Nothing is judged here.

const { elapsed } = require('../clock')
const { Connection } = require('../connection')
const operations = require('../operations')
const { sessionStoreOptions } = require('../options/options')
const { SessionStore } = require('../stores/session-store')
const { skews } = require('./clock')
const { formats } = require('./formats')
const { failureFacts, nodeFacts, questions, userIndex } = require('./facts')
const { reach } = require('./reach')
const { smokeTest } = require('./smoke-test')

/** Put before the ids of throw-away sessions: applications that share the set do not see them. */
const PREFIX = 'aerospike-session-doctor:'
/** Seconds: how long one of them would live, should the doctor be killed. */
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
  // Told as a finding, and not by the process.
  sessions.on('warning', () => {})
  try {
    const began = elapsed()
    // A namespace that does not exist is a finding of its own, with the names of those that do.
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
  const ask = (/** @type {string[]} */ commands) => connection.request(operations.info, undefined, commands)
  const told = await ask(Object.values(questions(target)))
  const nodes = told.map((/** @type {any} */ node) => nodeFacts(node, target))
  // Of a namespace that is not there nothing more is to be had.
  if (nodes.every((/** @type {any} */ node) => node.namespace === undefined && node.error === undefined)) return { nodes, skews: [] }
  const [apart, tried] = await Promise.all([skews(command => ask([command]), target.namespace), smokeTest(sessions, rounds)])
  const compared = Object.keys(tried.failures).length === 0 ? await formats(sessions, nodes, rounds) : undefined
  return { nodes, skews: apart, smokeTest: tried, formats: compared, userQuery: await queryOfUser(connection, nodes, target) }
}

/**
 * Asks for the sessions of a user that nobody is, if there is an index: without one all of the set would be read.
 *
 * @param {import('../connection').Connection} connection
 * @param {import('./facts').NodeFacts[]} nodes
 * @param {import('./facts').Target} target
 */
async function queryOfUser (connection, nodes, target) {
  if (!nodes.some(node => userIndex(node, target) !== undefined)) return undefined
  try {
    await connection.request(operations.countOf, undefined, PREFIX)
    return /** @type {const} */ ('ok')
  } catch (error) {
    return failureFacts(error)
  }
}

module.exports = { collect }
