'use strict'

// The command `aerospike-session dev-server`.

const { clearInterval, setInterval } = require('../clock')
const { printError, print } = require('./output')
const { UsageError, number } = require('./usage')

const TEXT = `  Runs an in-memory server that speaks Aerospike's wire protocol, with the namespaces test and
  nottl (which refuses TTLs). For development and tests only.
`

const OPTIONS_HELP = `  --host ADDRESS      IP address to listen on (default 127.0.0.1)
  --port PORT         port to listen on, 0 for any free one (default 3000)
  --nodes N           nodes of the cluster, on the ports from PORT on (default 1)
  --replication-factor N
                      how many nodes hold each record (default 2)
  --user NAME:PASSWORD
                      a user who must log in; may be given again, and in the environment as
                      DEV_SERVER_USER, where a list of processes does not show it
                      (default: nobody is asked for a password)
  --session-ttl SECONDS
                      life of a session token (default 86400)
  --tls               TLS, with certificates made at the start
  --mutual-tls        TLS, and clients need a certificate too
  --tls-dir DIR       where to write what clients need for TLS: ca.pem, and with mutual TLS
                      cert.pem and key.pem
  --data FILE         keep records in FILE, from one run to the next (default: in memory only)
  --memory SIZE       memory each namespace may fill with records, such as 512m or 2g; writes are
                      refused from 70 % of it on (default 1g)
  --fault FAULT       start with a fault, see aerospike-session help fault; may be given again
`

/**
 * Returns the users from the command line and the environment.
 * @param {string[]} given
 * @returns {Record<string, string> | undefined}
 */
function users (given) {
  const { DEV_SERVER_USER: own } = process.env
  const pairs = (own ? [own, ...given] : given).map(text => {
    const [, name, password] = /^([^:]+):(.+)$/s.exec(text) ?? []
    if (name === undefined) throw new UsageError('a user is written as NAME:PASSWORD')
    return [name, password]
  })
  return pairs.length === 0 ? undefined : Object.fromEntries(pairs)
}

/**
 * Returns options `security` and `tls`.
 * @param {Omit<Options, 'host' | 'data'>} options
 */
function protection ({ user, tls, ...options }) {
  const mutual = options['mutual-tls'] === true
  const encrypted = tls === true || mutual
  if (encrypted !== (options['tls-dir'] !== undefined)) throw new UsageError('--tls-dir belongs to --tls or --mutual-tls')
  const sessionTtl = number('session-ttl', options['session-ttl'], 1, 864_000)
  const known = users(user)
  return {
    security: known && { users: known, sessionTtl },
    tls: encrypted && { mutual }
  }
}

/**
 * @typedef {{ host: string, port: string, data?: string, memory?: string, nodes: string, 'replication-factor': string,
 *   user: string[], 'session-ttl': string, tls?: boolean, 'mutual-tls'?: boolean, 'tls-dir'?: string, fault?: string[] }} Options
 */

/** @param {{ values: Record<string, any>, positionals: string[] }} parsed */
async function run ({ values, positionals: [stray] }) {
  if (stray !== undefined) throw new UsageError(`dev-server takes no argument '${stray}'`)
  if (values.list || values.clear) throw new UsageError('--list and --clear belong to the command fault')
  const { host, data, memory, fault = [], ...options } = /** @type {Options} */ (values)
  const numbers = {
    port: number('port', options.port, 0, 65_535),
    nodes: number('nodes', options.nodes, 1, 8),
    replicationFactor: number('replication-factor', options['replication-factor'], 1, 8)
  }
  const { start } = require('../dev-server/dev-server')
  const { parseFault } = require('../dev-server/faults')
  const faults = fault.map(parseFault)
  const settings = { host, data, memory, ...numbers, ...protection(options) }
  const server = await start(settings, warning => printError(`aerospike-session: ${warning}`))
  try {
    for (const one of faults) await server.inject(/** @type {any} */ (one))
  } catch (error) {
    await server.stop()
    throw error
  }
  const kept = data === undefined ? 'in memory only' : `in ${data}`
  if (options['tls-dir'] !== undefined) await server.writeTlsFiles(options['tls-dir'])
  print(`Aerospike dev server on ${server.hosts}, records kept ${kept}. For development and tests only.`)

  // The server does not keep the process alive.
  const alive = setInterval(() => {}, 2 ** 31 - 1)
  const stop = async () => {
    await server.stop()
    clearInterval(alive)
  }
  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
}

/** @type {import('./help').Command} */
module.exports = {
  usage: 'dev-server [options]',
  summary: 'runs an in-memory server, for development and tests only',
  text: TEXT,
  options: {
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '3000' },
    data: { type: 'string' },
    nodes: { type: 'string', default: '1' },
    'replication-factor': { type: 'string', default: '2' },
    memory: { type: 'string' },
    user: { type: 'string', multiple: true, default: [] },
    'session-ttl': { type: 'string', default: '86400' },
    tls: { type: 'boolean' },
    'mutual-tls': { type: 'boolean' },
    'tls-dir': { type: 'string' },
    fault: { type: 'string', multiple: true },
    // Refused, with a message that says where they belong.
    list: { type: 'boolean' },
    clear: { type: 'boolean' }
  },
  optionsHelp: OPTIONS_HELP,
  example: 'dev-server --port 3100 --nodes 3 --data records.db',
  run
}
