'use strict'

// A cluster of three whose nodes can be killed: a dev server, or, with AEROSPIKE_HOSTS and TEST_NODES, a real one. TEST_NODES is a command
// such as 'cluster.sh {action} {node}', as for option --nodes of the torture test.

const { promisify } = require('node:util')
const { DevServer } = require('../../exports/dev-server')

const execFile = promisify(require('node:child_process').execFile)

/** @returns {Promise<{ hosts: string, kill: (node: number) => Promise<void>, start: (node: number) => Promise<void>, stop: () => Promise<void> }>} nodes are numbered from 0 */
async function threeNodes () {
  const { AEROSPIKE_HOSTS: hosts, TEST_NODES: command } = process.env
  if (hosts !== undefined && command !== undefined) {
    const run = async (action, node) => {
      const [file, ...args] = command.split(/\s+/).map(word => word.replace('{action}', action).replace('{node}', String(node + 1)))
      await execFile(file, args)
    }
    return { hosts, kill: node => run('kill', node), start: node => run('startone', node), stop: async () => {} }
  }
  const server = await DevServer.start({ nodes: 3 })
  return { hosts: server.hosts, kill: node => server.stopNode(node), start: node => server.startNode(node), stop: () => server.stop() }
}

module.exports = { threeNodes }
