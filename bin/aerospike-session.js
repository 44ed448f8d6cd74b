#!/usr/bin/env node
'use strict'

// The command line. This file has the commands `dev-server` and `fault`. The others are in lib/cli/.

const { printError, print, watch, write } = require('../lib/cli/output')
const usage = require('../lib/cli/usage')
const { version } = require('../package.json')

const { UsageError, number } = usage

/** Commands in lib/cli/, with their own options and help. Their `run` gets the remaining arguments. */
const SEPARATE_COMMANDS = ['doctor', 'sessions']

const HELP = `aerospike-session ${version}

Usage: aerospike-session dev-server [options]
       aerospike-session fault HOST:PORT FAULT... | --list | --clear
       aerospike-session doctor [options]
       aerospike-session sessions count | list | destroy-user USER [options]

  doctor looks at a cluster as sessions need it, and says what to do: see doctor --help.

  sessions counts, lists and removes sessions: see sessions --help.

  dev-server runs an in-memory server that speaks Aerospike's wire protocol, with the
  namespaces test and nottl (which refuses TTLs). For development and tests only.

  fault breaks a dev server that runs, lists its faults, or takes all of them back.

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
  --fault FAULT   start with a fault; may be given again
  --list          list the faults, with how often each struck
  --clear         take all faults back
  --help          show this
  --version       show the version

A fault is its kind and settings, in one argument:
  'latency ms=20 jitter=5 on=write'            'drop when=after times=1'
  'code code=KEY_BUSY probability=0.1 seed=1'  'reset when=midReply on=read,write'
  'overload'  'freeze lasts=3000'  'refuse lasts=3000'  'silent on=any'
docs/testing.md tells what they do.
`

/** @param {string[]} args */
function parse (args) {
  return usage.parse(args, {
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
    list: { type: 'boolean' },
    clear: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
    version: { type: 'boolean', short: 'v' }
  })
}

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
 *   user: string[], 'session-ttl': string, tls?: boolean, 'mutual-tls'?: boolean,
 *   'tls-dir'?: string, fault?: string[], list?: boolean, clear?: boolean }} Options
 */

/** @param {Options} options */
async function devServer ({ host, data, memory, fault = [], list, clear, ...options }) {
  if (list || clear) throw new UsageError('--list and --clear belong to the command fault')
  const numbers = {
    port: number('port', options.port, 0, 65_535),
    nodes: number('nodes', options.nodes, 1, 8),
    replicationFactor: number('replication-factor', options['replication-factor'], 1, 8)
  }
  const { start } = require('../lib/dev-server/dev-server')
  const { parseFault } = require('../lib/dev-server/faults')
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

/** @param {string} text */
function isAddress (text) {
  const [, port] = /^\S+:(\d{1,5})$/.exec(text) ?? []
  return Number(port) >= 1 && Number(port) <= 65_535
}

/**
 * Sets, lists or clears faults of a dev server in another process.
 *
 * @param {string[]} args
 * @param {Options} options
 */
async function controlFaults ([address, ...texts], { list, clear, fault }) {
  if (address === undefined || !isAddress(address)) throw new UsageError('fault needs the HOST:PORT of a dev server')
  if (fault !== undefined) throw new UsageError('--fault belongs to the command dev-server: here a fault is an argument')
  if (Number(list ?? false) + Number(clear ?? false) + Number(texts.length > 0) !== 1) {
    throw new UsageError("fault takes either faults, such as 'latency ms=20', or --list, or --clear")
  }
  const { ask } = require('../lib/dev-server/dev-server-client')
  const { formatFault, parseFault } = require('../lib/dev-server/faults')
  const faults = texts.map(parseFault)
  const show = (/** @type {any} */ fault) => {
    print(`${fault.id}: ${formatFault(fault)} (struck ${fault.struck}${fault.isOver ? ', over' : ''})`)
  }
  if (clear) await ask(address, { command: 'clearFaults' })
  for (const fault of faults) show(await ask(address, { command: 'inject', fault }))
  if (list) for (const fault of await ask(address, { command: 'faults' })) show(fault)
}

/** @param {string[]} args */
async function main (args) {
  const [first] = args
  if (SEPARATE_COMMANDS.includes(first)) return require(`../lib/cli/${first}`).run(args.slice(1))
  const { values, positionals: [command, ...rest] } = parse(args)
  if (values.help) write(HELP)
  else if (values.version) print(version)
  else await run(command, rest, values)
}

/**
 * @param {string | undefined} command
 * @param {string[]} rest
 * @param {Options} options
 */
async function run (command, rest, options) {
  if (command === undefined) throw new UsageError('a command is missing: dev-server, fault, doctor or sessions')
  if (command === 'fault') return controlFaults(rest, options)
  if (SEPARATE_COMMANDS.includes(command)) throw new UsageError(`${command} comes first, and its options after it`)
  if (command !== 'dev-server') throw new UsageError(`'${command}' is no command: there are dev-server, fault, doctor and sessions`)
  if (rest.length > 0) throw new UsageError(`dev-server takes no argument '${rest[0]}'`)
  await devServer(options)
}

watch()
main(process.argv.slice(2)).catch(error => {
  const usage = error instanceof UsageError || error.code === 'BAD_OPTION'
  printError(`aerospike-session: ${error.message}${usage ? ' (see --help)' : ''}`)
  process.exitCode = usage ? 2 : 1
})
