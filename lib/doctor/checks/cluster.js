'use strict'

// Checks that the nodes form one cluster, that all can be reached, and that their version is supported.

const { Findings, named, number, plural } = require('../finding')

/** The first version with batches that write (batch-any), which the store sends. */
const OLDEST = 6
/** The version the package is tested with. */
const TESTED = '8.1'

/** @param {import('../finding').Facts} facts */
function cluster ({ nodes }) {
  const found = new Findings('Cluster')
  const answering = nodes.filter(({ error }) => error === undefined)
  for (const node of nodes) {
    if (node.error !== undefined) {
      found.add('problem', 'NODE_SILENT', `${named([node])} does not answer: ${node.error}`,
        'look at that node: whether it runs, its load, and its log. Sessions on it wait until the others take over')
    }
  }
  if (answering.length === 0) return found.list
  versions(found, answering)
  members(found, nodes, answering)
  return found.list
}

/**
 * @param {Findings} found
 * @param {import('../finding').NodeFacts[]} nodes
 */
function versions (found, nodes) {
  const products = [...new Set(nodes.map(product))]
  const [first] = products
  const old = nodes.filter(({ build }) => Number.parseInt(build) < OLDEST)
  if (old.length > 0) {
    found.add('problem', 'TOO_OLD', `${named(old)}: ${product(old[0])} is too old: it takes no batches that write`,
      `upgrade to ${OLDEST}.0 or later; this package is tested with ${TESTED}`)
  } else if (products.length > 1) {
    found.add('warning', 'VERSIONS_DIFFER', `the nodes are of different versions: ${products.join(', ')}`, 'finish the upgrade of all nodes')
  } else if (!nodes[0].build.startsWith(`${TESTED}.`)) {
    found.add('note', 'UNTESTED_VERSION', `${first}: this package is tested with ${TESTED}`, "try your application's own tests on it")
  } else {
    found.ok('VERSION', first)
  }
}

/** @param {import('../finding').NodeFacts} node */
function product ({ build, edition }) {
  // 'Aerospike Community Edition', or 'Community' alone.
  const name = /Aerospike/.test(edition) ? edition : `Aerospike ${edition} Edition`
  return `${edition === '' ? 'Aerospike' : name} ${build}`
}

/**
 * @param {Findings} found
 * @param {import('../finding').NodeFacts[]} nodes
 * @param {import('../finding').NodeFacts[]} answering
 */
function members (found, nodes, answering) {
  const size = Math.max(...answering.map(({ statistics }) => number(statistics, 'cluster_size') ?? 1))
  const keys = new Set(answering.map(({ statistics }) => statistics.cluster_key))
  if (keys.size > 1 || answering.some(({ statistics }) => statistics.cluster_integrity === 'false')) {
    found.add('problem', 'CLUSTER_SPLIT', 'the nodes do not agree on who belongs to the cluster: it is split, or about to change',
      'look again in ten seconds; if it stays, check the network between the nodes and their heartbeats (asadm -e "info network")')
  }
  if (size > nodes.length) {
    found.add('problem', 'NODES_UNREACHABLE', `the cluster has ${size} nodes, but only ${nodes.length} can be reached from here: sessions on ` +
      'the others fail', 'make the addresses that the nodes announce reachable from here: access-address in aerospike.conf, ' +
      'or alternate-access-address with --services-alternate')
  } else if (size === 1) {
    found.add('note', 'ONE_NODE', 'one node: there are no sessions while it is away',
      'fine for development. For production run three nodes with replication-factor 2')
  } else if (nodes.length === answering.length) {
    found.ok('NODES', `all of ${plural(size, 'node')} can be reached`)
  }
}

module.exports = { cluster }
