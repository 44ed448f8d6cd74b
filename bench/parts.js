'use strict'

// The parts of the benchmark. Each folder defines what is measured, in which processes, and how it is reported.

/** @typedef {(done: string) => void} Progress */

/**
 * @template T
 * @typedef {{
 *   measure: (options: import('./options').Options, places: import('./peers').Places, progress: Progress) => Promise<T>,
 *   tables: (result: T) => string[],
 *   targets: (result: T) => import('./target').Target[]
 * }} Part
 */

/** @typedef {{ stores?: import('./stores').Row[], pages?: import('./pages').PageRow[], [part: string]: any }} Results by part, of those that were run */

/** @type {Record<string, Part<any>>} */
const PARTS = {
  stores: require('./stores'),
  pages: require('./pages'),
  everyday: require('./everyday'),
  fairness: require('./fairness'),
  watch: require('./watch'),
  limits: require('./limits'),
  soak: require('./soak')
}

module.exports = { PARTS }
