'use strict'

// The command line of the benchmark.

const { choices, count, number, parse } = require('../scripts/arguments')
const { PEERS } = require('./peers')

const HELP = `Usage: npm run bench -- [options]

  Measures this store beside its peers, in rounds that take turns, on the server that AEROSPIKE_HOSTS
  names or else on a dev server of its own. Takes about five minutes, and first builds what is missing.

Options:
  --stores LIST    ${Object.keys(PEERS).join(',')} (all)
  --depths LIST    operations in flight (1,16,64,256)
  --mixes LIST     read, write (a read, then a set), touch (a read, then a touch) (write)
  --sizes LIST     kB of a session as JSON: 0.5, 4, 32 (0.5,4)
  --rounds N       rounds of each measurement; the median counts (3)
  --seconds S      length of one round (0.5)
  --pages LIST     pages of an Express site: read, write, or none (read,write)
  --page-seconds S length of one round of a page (2)
  --no-limit       leave out the bare Rust loop
  --full           every depth, mix and size; 5 rounds of 2 seconds
  --soak [N]       only this store's memory: after N operations, and after a tenth of them (5000000)
  --json FILE      write everything that was measured, - for stdout
  --plot FOLDER    draw the charts as SVG
  --help           show this
`

/**
 * @typedef {import('./visitors').Mix} Mix
 * @typedef {{ stores: string[], depths: number[], mixes: Mix[], sizes: number[], rounds: number, seconds: number,
 *   pages: string[], pageSeconds: number, limit: boolean, soak: number, json?: string, plot?: string }} Options
 */

const QUICK = { depths: '1,16,64,256', mixes: 'write', sizes: '0.5,4', rounds: '3', seconds: '0.5', pages: 'read,write', 'page-seconds': '2' }
const FULL = { ...QUICK, mixes: 'read,write,touch', sizes: '0.5,4,32', rounds: '5', seconds: '2', 'page-seconds': '5' }

const TEXT = /** @type {const} */ ({ type: 'string' })
const FLAG = /** @type {const} */ ({ type: 'boolean' })

/**
 * @param {string[]} args
 * @returns {Options | undefined} undefined where only help was asked for
 */
function readOptions (args) {
  // --soak may stand alone.
  const soak = args.indexOf('--soak')
  const whole = soak >= 0 && !/^\d/.test(args[soak + 1] ?? '') ? args.with(soak, '--soak=5000000') : args
  const given = parse(whole, {
    stores: TEXT,
    depths: TEXT,
    mixes: TEXT,
    sizes: TEXT,
    rounds: TEXT,
    seconds: TEXT,
    pages: TEXT,
    'page-seconds': TEXT,
    'no-limit': FLAG,
    full: FLAG,
    soak: TEXT,
    json: TEXT,
    plot: TEXT,
    help: FLAG
  })
  if (given.help) {
    process.stdout.write(HELP)
    return undefined
  }
  const values = { ...given.full ? FULL : QUICK, ...given }
  return {
    stores: choices('stores', given.stores ?? Object.keys(PEERS).join(','), Object.keys(PEERS)),
    depths: values.depths.split(',').map(text => count('depths', text, 10_000)),
    mixes: /** @type {Mix[]} */ (choices('mixes', values.mixes, ['read', 'write', 'touch'])),
    sizes: values.sizes.split(',').map(text => number('sizes', text, 0.1, 512)),
    rounds: count('rounds', values.rounds, 100),
    seconds: number('seconds', values.seconds, 0.01, 600),
    pages: choices('pages', values.pages, ['read', 'write']),
    pageSeconds: number('page-seconds', values['page-seconds'], 0.01, 600),
    limit: !given['no-limit'],
    soak: given.soak === undefined ? 0 : count('soak', given.soak, 1e9),
    json: given.json,
    plot: given.plot
  }
}

module.exports = { readOptions }
