'use strict'

// The command line of the benchmark.

const { choices, count, number, parse } = require('../scripts/arguments')
const { ScriptError } = require('../scripts/build')
const { PEERS } = require('./peers')

/** The parts of the benchmark, in the order in which they run. */
const PART_NAMES = ['stores', 'pages', 'everyday', 'fairness', 'watch', 'limits']

const HELP = `Usage: npm run bench -- [options]

  Measures this store beside its peers, in rounds that take turns, on the server that AEROSPIKE_HOSTS
  names or else on a dev server of its own. Takes about a quarter of an hour, and first builds what is missing.

Options:
  --only LIST      ${PART_NAMES.join(',')} (all):
                     stores    operations of each store, many in flight
                     pages     an Express site, as many pages as it can serve
                     everyday  an Express site at fixed rates; few operations in flight
                     fairness  small reads beside something large
                     watch     watched sessions, in a process that does nothing else
                     limits    rate limits beside rate-limit-redis
  --stores LIST    ${Object.keys(PEERS).join(',')} (all)
  --depths LIST    stores, limits: operations in flight (1,16,64,256)
  --mixes LIST     stores: read, write (a read, then a set), touch (a read, then a touch) (write)
  --sizes LIST     stores: kB of a session as JSON: 0.5, 4, 32 (0.5,4)
  --no-limit       stores: leave out the bare Rust loop
  --pages LIST     pages, everyday: pages of an Express site: read, write, or none (read,write)
  --rates LIST     everyday: pages per second (300,1000)
  --rounds N       rounds of each measurement; the median counts (3)
  --seconds S      length of one round (0.5)
  --watched LIST   watch: watched sessions (1000,10000)
  --watch-seconds S
                   watch: length of one measurement (20)
  --page-seconds S length of one round of a page, or of fairness (2)
  --quick          one short round of each measurement: shows that everything works
  --full           every depth, mix and size; 5 rounds of 2 seconds
  --soak [N]       only this store's memory: after N operations, and after a tenth of them (5000000)
  --json FILE      write everything that was measured, - for stdout
  --plot FOLDER    draw the charts of stores and pages as SVG
  --help           show this
`

/**
 * @typedef {import('./stores/visitors').Mix} Mix
 * @typedef {{ only: string[], stores: string[], depths: number[], mixes: Mix[], sizes: number[], rates: number[], rounds: number,
 *   seconds: number, pages: string[], pageSeconds: number, watched: number[], watchSeconds: number, limit: boolean, soak: number, json?: string, plot?: string }} Options
 */

const USUAL = {
  depths: '1,16,64,256',
  mixes: 'write',
  sizes: '0.5,4',
  rates: '300,1000',
  rounds: '3',
  seconds: '0.5',
  pages: 'read,write',
  'page-seconds': '2',
  watched: '1000,10000',
  'watch-seconds': '20'
}
const QUICK = { ...USUAL, rounds: '1', seconds: '0.1', 'page-seconds': '0.5', watched: '1000', 'watch-seconds': '1' }
const FULL = { ...USUAL, mixes: 'read,write,touch', sizes: '0.5,4,32', rounds: '5', seconds: '2', 'page-seconds': '5', 'watch-seconds': '60' }

const TEXT = /** @type {const} */ ({ type: 'string' })
const FLAG = /** @type {const} */ ({ type: 'boolean' })

/**
 * @param {string[]} args
 * @returns {Options | undefined} undefined if only help was requested
 */
function readOptions (args) {
  // --soak may be given without a number.
  const soak = args.indexOf('--soak')
  const whole = soak >= 0 && !/^\d/.test(args[soak + 1] ?? '') ? args.with(soak, '--soak=5000000') : args
  const given = parse(whole, {
    only: TEXT,
    stores: TEXT,
    depths: TEXT,
    mixes: TEXT,
    sizes: TEXT,
    rates: TEXT,
    rounds: TEXT,
    seconds: TEXT,
    pages: TEXT,
    'page-seconds': TEXT,
    watched: TEXT,
    'watch-seconds': TEXT,
    'no-limit': FLAG,
    quick: FLAG,
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
  if (given.quick && given.full) throw new ScriptError('--quick and --full cannot be used together.')
  const values = { ...given.full ? FULL : given.quick ? QUICK : USUAL, ...given }
  return {
    only: choices('only', given.only ?? PART_NAMES.join(','), PART_NAMES),
    stores: choices('stores', given.stores ?? Object.keys(PEERS).join(','), Object.keys(PEERS)),
    depths: values.depths.split(',').map(text => count('depths', text, 10_000)),
    mixes: /** @type {Mix[]} */ (choices('mixes', values.mixes, ['read', 'write', 'touch'])),
    sizes: values.sizes.split(',').map(text => number('sizes', text, 0.1, 512)),
    rates: values.rates.split(',').map(text => count('rates', text, 100_000)),
    rounds: count('rounds', values.rounds, 100),
    seconds: number('seconds', values.seconds, 0.01, 600),
    pages: choices('pages', values.pages, ['read', 'write']),
    pageSeconds: number('page-seconds', values['page-seconds'], 0.01, 600),
    watched: values.watched.split(',').map(text => count('watched', text, 1_000_000)),
    watchSeconds: number('watch-seconds', values['watch-seconds'], 0.1, 600),
    limit: !given['no-limit'],
    soak: given.soak === undefined ? 0 : count('soak', given.soak, 1e9),
    json: given.json,
    plot: given.plot
  }
}

module.exports = { readOptions }
