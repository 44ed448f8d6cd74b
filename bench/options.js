'use strict'

// The command line of the benchmark.

const { parseArgs } = require('node:util')
const { ScriptError } = require('../scripts/build')
const { PEERS } = require('./peers')

const HELP = `Usage: npm run bench -- [options]

  Measures this store beside its peers, in rounds that take turns, on the server that AEROSPIKE_HOSTS
  names or else on a dev server of its own. Takes two to three minutes.

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

/**
 * @param {string} option
 * @param {string} list
 * @param {string[]} known
 */
function choices (option, list, known) {
  const chosen = list === 'none' ? [] : list.split(',')
  const stray = chosen.find(one => !known.includes(one))
  if (stray !== undefined) throw new ScriptError(`--${option} does not know '${stray}': it takes ${known.join(', ')}.`)
  return chosen
}

/**
 * @param {string} option
 * @param {string} text
 * @param {number} most
 */
function positive (option, text, most) {
  const number = Number(text)
  if (!(number > 0 && number <= most)) throw new ScriptError(`--${option} takes a number above 0, up to ${most}, not '${text}'.`)
  return number
}

/**
 * @param {string} option
 * @param {string} text
 * @param {number} most
 */
function count (option, text, most) {
  const number = positive(option, text, most)
  if (!Number.isInteger(number)) throw new ScriptError(`--${option} takes whole numbers, not '${text}'.`)
  return number
}

/** @param {string[]} args */
function parse (args) {
  // --soak may stand alone.
  const soak = args.indexOf('--soak')
  const given = soak >= 0 && !/^\d/.test(args[soak + 1] ?? '') ? args.with(soak, '--soak=5000000') : args
  const text = /** @type {const} */ ({ type: 'string' })
  const flag = /** @type {const} */ ({ type: 'boolean' })
  try {
    return parseArgs({
      args: given,
      options: {
        stores: text,
        depths: text,
        mixes: text,
        sizes: text,
        rounds: text,
        seconds: text,
        pages: text,
        'page-seconds': text,
        'no-limit': flag,
        full: flag,
        soak: text,
        json: text,
        plot: text,
        help: flag
      }
    }).values
  } catch (error) {
    throw new ScriptError(`${/** @type {Error} */ (error).message} (see --help)`)
  }
}

/**
 * @param {string[]} args
 * @returns {Options | undefined} undefined where only help was asked for
 */
function readOptions (args) {
  const given = parse(args)
  if (given.help) {
    process.stdout.write(HELP)
    return undefined
  }
  const values = { ...given.full ? FULL : QUICK, ...given }
  return {
    stores: choices('stores', given.stores ?? Object.keys(PEERS).join(','), Object.keys(PEERS)),
    depths: values.depths.split(',').map(text => count('depths', text, 10_000)),
    mixes: /** @type {Mix[]} */ (choices('mixes', values.mixes, ['read', 'write', 'touch'])),
    sizes: values.sizes.split(',').map(text => positive('sizes', text, 512)),
    rounds: count('rounds', values.rounds, 100),
    seconds: positive('seconds', values.seconds, 600),
    pages: choices('pages', values.pages, ['read', 'write']),
    pageSeconds: positive('page-seconds', values['page-seconds'], 600),
    limit: !given['no-limit'],
    soak: given.soak === undefined ? 0 : count('soak', given.soak, 1e9),
    json: given.json,
    plot: given.plot
  }
}

module.exports = { readOptions }
