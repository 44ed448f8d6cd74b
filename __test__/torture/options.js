'use strict'

// The command line of the torture test.

const crypto = require('node:crypto')
const { choice, choices, number, parse } = require('../../scripts/arguments')
const { ScriptError } = require('../../scripts/build')
const { FAULTS } = require('./faults')
const { PLANTS } = require('./saboteurs')

const HELP = `Usage: npm run torture -- [options]

  An Express site of several processes under load, while the nodes of its cluster are killed, frozen and
  restarted and everything else goes wrong, and a checker that knows every acknowledged write. Runs on a
  dev server of three nodes, or on the cluster that AEROSPIKE_HOSTS names. Exit code 1: something was
  lost, undone, late, or has crashed.

Options:
  --seconds N              how long faults are begun (60)
  --seed TEXT              what chance starts from: faults and visitors (a random one)
  --requests-per-second N  (500)
  --visitors N             (as many as requests per second, at least 100)
  --processes N            of the Express site (2)
  --only LIST              faults: ${Object.keys(FAULTS).join(', ')}; or none
  --pause SECONDS          without a fault before each (0)
  --format FORMAT          map, json, or mixed: one process of the site writes maps, the next JSON (map)
  --timeout MS             the store's timeout (3000)
  --tombstones             the store's option tombstones
  --data                   dev server: keep records in a file, so that they outlive the whole cluster
  --nodes COMMAND          with AEROSPIKE_HOSTS: what kills and freezes nodes, such as 'cluster.sh {action} {node}';
                           {action} is kill, startone, freeze or thaw, {node} is 1, 2, ...
  --plant NAME             sabotage the site, to see it caught: ${Object.keys(PLANTS).join(', ')}
  --quiet                  no progress
  --help                   show this
`

/**
 * @typedef {{ seconds: number, seed: string, rate: number, visitors: number, processes: number, only: string[] | undefined,
 *   pause: number, format: 'map' | 'json' | 'mixed', timeout: number, tombstones: boolean, data: boolean, hosts: string | undefined,
 *   nodes: string | undefined, plant: string | undefined, quiet: boolean }} Options
 */

const TEXT = /** @type {const} */ ({ type: 'string' })
const FLAG = /** @type {const} */ ({ type: 'boolean' })

/**
 * @param {string[]} args
 * @returns {Options | undefined} undefined if only help was requested
 */
function readOptions (args) {
  const given = parse(args, {
    seconds: { ...TEXT, default: '60' },
    seed: { ...TEXT, default: String(crypto.randomInt(1e6)) },
    'requests-per-second': { ...TEXT, default: '500' },
    visitors: TEXT,
    processes: { ...TEXT, default: '2' },
    only: TEXT,
    pause: { ...TEXT, default: '0' },
    format: { ...TEXT, default: 'map' },
    timeout: { ...TEXT, default: '3000' },
    tombstones: FLAG,
    data: FLAG,
    nodes: TEXT,
    plant: TEXT,
    quiet: FLAG,
    help: FLAG
  })
  if (given.help) {
    process.stdout.write(HELP)
    return undefined
  }
  const hosts = process.env.AEROSPIKE_HOSTS || undefined
  if (given.nodes !== undefined && hosts === undefined) throw new ScriptError('--nodes is for a real cluster: name it in AEROSPIKE_HOSTS.')
  if (given.data && hosts !== undefined) throw new ScriptError('--data is for the dev server: AEROSPIKE_HOSTS names another.')
  const rate = number('requests-per-second', given['requests-per-second'], 1, 100_000)
  return {
    seconds: number('seconds', given.seconds, 1, 7 * 86_400),
    seed: given.seed,
    rate,
    visitors: given.visitors === undefined ? Math.max(100, Math.ceil(rate)) : number('visitors', given.visitors, 1, 100_000),
    processes: number('processes', given.processes, 1, 64),
    only: given.only === undefined ? undefined : choices('only', given.only, Object.keys(FAULTS)),
    pause: number('pause', given.pause, 0, 3_600),
    format: /** @type {Options['format']} */ (choice('format', given.format, ['map', 'json', 'mixed'])),
    timeout: number('timeout', given.timeout, 100, 60_000),
    tombstones: given.tombstones ?? false,
    data: given.data ?? false,
    hosts,
    nodes: given.nodes,
    plant: given.plant === undefined ? undefined : choice('plant', given.plant, Object.keys(PLANTS)),
    quiet: given.quiet ?? false
  }
}

module.exports = { readOptions }
