'use strict'

// npm run cluster: one or several real Aerospike servers in Docker, for tests. `npm run torture -- --nodes` uses the commands
// `kill`, `startone`, `freeze` and `thaw`.

const fs = require('node:fs')
const net = require('node:net')
const os = require('node:os')
const path = require('node:path')
const { spawnSync } = require('node:child_process')
const { setTimeout: pass } = require('node:timers/promises')
const { ScriptError, runMain } = require('./build')

const IMAGE = 'aerospike/aerospike-server:8.1.2.3@sha256:73c78ec8c2010dbc83ffb4b1249abbdfad3a66173492f46fa54996d0608f122d'
const MOST = 8
/** Milliseconds that a cluster may take to form. */
const READY_TIMEOUT = 60_000

const HELP = `Usage: npm run cluster -- COMMAND

  start [N]    start N nodes (1), on 127.0.0.1:3000, 3010, 3020, …
  stop         remove them all
  kill NODE    kill a node (1, 2, …)
  startone NODE  start it again
  freeze NODE, thaw NODE
`

/** @param {number} node from 1 */
const port = node => 3_000 + 10 * (node - 1)
/** @param {number} node */
const container = node => `aerospike-session-${node}`

/**
 * Returns a node's configuration: namespace `test`, and `nottl`, which refuses TTLs.
 * @param {number} node
 * @param {number} nodes
 */
function configuration (node, nodes) {
  const seeds = Array.from({ length: nodes }, (_, index) => `mesh-seed-address-port 127.0.0.1 ${port(index + 1) + 2}`)
  const replicas = Math.min(nodes, 2)
  return `
service {
  cluster-name tests
  node-id a${node}
  proto-fd-max 5000
}
logging {
  console {
    context any info
  }
}
network {
  service {
    address 127.0.0.1
    access-address 127.0.0.1
    port ${port(node)}
  }
  fabric {
    address 127.0.0.1
    port ${port(node) + 1}
  }
  heartbeat {
    mode mesh
    address 127.0.0.1
    port ${port(node) + 2}
    ${seeds.join('\n    ')}
    interval 150
    timeout 10
  }
  admin {
    address 127.0.0.1
    port ${port(node) + 3}
  }
}
namespace test {
  replication-factor ${replicas}
  default-ttl 0
  nsup-period 10
  storage-engine memory {
    data-size 512M
  }
}
namespace nottl {
  replication-factor ${replicas}
  default-ttl 0
  nsup-period 0
  allow-ttl-without-nsup false
  storage-engine memory {
    data-size 512M
  }
}
`
}

/** @param {string[]} args */
function docker (...args) {
  const { error, status, stderr, stdout } = spawnSync('docker', args, { encoding: 'utf8' })
  if (error || status !== 0) throw new ScriptError(`docker ${args[0]} failed: ${(error?.message ?? stderr).trim()}`)
  return stdout.trim()
}

/**
 * Sends an info command to a node by Aerospike's info protocol: version 2, type 1, a length of 6 bytes, a line.
 * @param {number} node
 * @param {string} command
 * @returns {Promise<string>} its answer; empty if there is none
 */
async function info (node, command) {
  const text = Buffer.from(`${command}\n`)
  const header = Buffer.alloc(8)
  header.writeUInt16BE(0x0201)
  header.writeUIntBE(text.length, 2, 6)
  const socket = net.connect(port(node), '127.0.0.1')
  socket.setTimeout(1_000, () => socket.destroy())
  let answer = Buffer.alloc(0)
  try {
    socket.write(Buffer.concat([header, text]))
    for await (const chunk of socket) {
      answer = Buffer.concat([answer, chunk])
      if (answer.length >= 8 && answer.length >= 8 + answer.readUIntBE(2, 6)) break
    }
  } catch {
    // The node does not answer yet.
  }
  return answer.subarray(8).toString().trim().split('\t').at(-1) ?? ''
}

/**
 * Waits until the nodes see each other and have divided the partitions.
 * @param {number[]} nodes
 * @param {number} [size] of the cluster; undefined: any size
 */
async function ready (nodes, size) {
  const deadline = Date.now() + READY_TIMEOUT
  for (const node of nodes) {
    const command = `cluster-stable:${size === undefined ? '' : `size=${size}`}`
    while (!/^[0-9A-F]+$/i.test(await info(node, command))) {
      if (Date.now() > deadline) throw new ScriptError(`node ${node} is not ready after ${READY_TIMEOUT / 1_000} s: docker logs ${container(node)}`)
      await pass(200)
    }
  }
}

/** @param {number} nodes */
async function start (nodes) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'aerospike-session-cluster-'))
  const all = Array.from({ length: nodes }, (_, index) => index + 1)
  for (const node of all) {
    const file = path.join(folder, `${node}.conf`)
    fs.writeFileSync(file, configuration(node, nodes))
    docker('run', '--detach', '--name', container(node), '--network', 'host', '--ulimit', 'nofile=20000:20000',
      '--volume', `${file}:/etc/aerospike/tests.conf:ro`, '--entrypoint', 'asd', IMAGE, '--foreground', '--config-file', '/etc/aerospike/tests.conf')
  }
  await ready(all, nodes)
  console.log(`AEROSPIKE_HOSTS=${all.map(node => `127.0.0.1:${port(node)}`).join(',')}`)
}

function stop () {
  const found = docker('ps', '--all', '--quiet', '--filter', 'name=^aerospike-session-[0-9]+$')
  if (found !== '') docker('rm', '--force', ...found.split('\n'))
}

/** @type {Record<string, (node: number) => unknown>} */
const COMMANDS = {
  start,
  kill: node => docker('kill', container(node)),
  startone: async node => {
    docker('start', container(node))
    await ready([node])
  },
  freeze: node => docker('pause', container(node)),
  thaw: node => docker('unpause', container(node))
}

/** @param {string[]} args */
async function main ([command, number = command === 'start' ? '1' : '']) {
  if (command === undefined || command === '--help') return process.stdout.write(HELP)
  if (command === 'stop') return stop()
  if (!Object.hasOwn(COMMANDS, command)) throw new ScriptError(`'${command}' is no command (see --help)`)
  const node = Number(number)
  if (!/^\d$/.test(number) || node < 1 || node > MOST) throw new ScriptError(`${command} takes a number from 1 to ${MOST}`)
  await COMMANDS[command](node)
}

if (require.main === module) runMain(() => main(process.argv.slice(2)))

module.exports = { configuration, info }
