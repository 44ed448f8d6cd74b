#!/usr/bin/env node
'use strict'

// The command line: `aerospike-session dev-server`.

const { parseArgs } = require('node:util')
const { version } = require('../package.json')

const HELP = `aerospike-session ${version}

Usage: aerospike-session dev-server [options]

  Runs an in-memory server that speaks Aerospike's wire protocol, with the namespaces
  test and nottl (which refuses TTLs). For development and tests only.

Options:
  --host ADDRESS  IP address to listen on (default 127.0.0.1)
  --port PORT     port to listen on, 0 for any free one (default 3000)
  --nodes N       nodes of the cluster, on the ports from PORT on (default 1)
  --replication-factor N
                  how many nodes hold each record (default 2)
  --user NAME:PASSWORD
                  a user who must log in; may be given again, and in the environment as
                  DEV_SERVER_USER, where a list of processes does not show it
                  (default: nobody is asked for a password)
  --session-ttl SECONDS
                  life of a session token (default 86400)
  --tls           TLS, with certificates made at the start
  --mutual-tls    TLS, and clients need a certificate too
  --tls-dir DIR   where to write what clients need for TLS: ca.pem, and with mutual TLS
                  cert.pem and key.pem
  --data FILE     keep records in FILE, from one run to the next (default: in memory only)
  --memory SIZE   memory each namespace may fill with records, such as 512m or 2g; writes are
                  refused from 70 % of it on (default 1g)
  --help          show this
  --version       show the version
`

/** A mistake in the command line: exit code 2. */
class UsageError extends Error {}

/** @param {string[]} args */
function parse (args) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
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
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean', short: 'v' }
      }
    })
  } catch (error) {
    // The first sentence says what is wrong; Node's further advice is of no use here.
    throw new UsageError(/** @type {Error} */ (error).message.split(/\.\s/)[0])
  }
}

/**
 * @param {string} name
 * @param {string} text
 * @param {number} least
 * @param {number} most
 */
function number (name, text, least, most) {
  const value = Number(text)
  if (!/^\d{1,6}$/.test(text) || value < least || value > most) throw new UsageError(`--${name} takes a number from ${least} to ${most}`)
  return value
}

/**
 * Users from the command line and from the environment.
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
 * Options `security` and `tls`.
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
 *   user: string[], 'session-ttl': string, tls?: boolean, 'mutual-tls'?: boolean,
 *   'tls-dir'?: string }} Options
 */

/** @param {Options} options */
async function devServer ({ host, data, memory, ...options }) {
  const numbers = {
    port: number('port', options.port, 0, 65_535),
    nodes: number('nodes', options.nodes, 1, 8),
    replicationFactor: number('replication-factor', options['replication-factor'], 1, 8)
  }
  const { DevServer } = require('../dev-server')
  const server = await DevServer.start({ host, data, memory, ...numbers, ...protection(options) })
  const kept = data === undefined ? 'in memory only' : `in ${data}`
  if (options['tls-dir'] !== undefined) await server.writeTlsFiles(options['tls-dir'])
  console.log(`Aerospike dev server on ${server.hosts}, records kept ${kept}. For development and tests only.`)

  // The server does not keep the process alive.
  const alive = setInterval(() => {}, 2 ** 31 - 1)
  const stop = async () => {
    await server.stop()
    clearInterval(alive)
  }
  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
}

/** @param {string[]} args */
async function main (args) {
  const { values, positionals: [command, ...rest] } = parse(args)
  if (values.help) process.stdout.write(HELP)
  else if (values.version) console.log(version)
  else await run(command, rest, values)
}

/**
 * @param {string | undefined} command
 * @param {string[]} rest
 * @param {Options} options
 */
async function run (command, rest, options) {
  if (command === undefined) throw new UsageError('a command is missing: dev-server')
  if (command !== 'dev-server') throw new UsageError(`'${command}' is no command: there is dev-server`)
  if (rest.length > 0) throw new UsageError(`dev-server takes no argument '${rest[0]}'`)
  await devServer(options)
}

main(process.argv.slice(2)).catch(error => {
  const usage = error instanceof UsageError || error.code === 'BAD_OPTION'
  console.error(`aerospike-session: ${error.message}${usage ? ' (see --help)' : ''}`)
  process.exitCode = usage ? 2 : 1
})
