'use strict'

// A target for this store, and whether it is reached.

/**
 * @typedef {{ name: string, measured: number, bound: number, kind: 'most' | 'least' }} Target
 */

/** The stores that have targets. */
const OURS = ['map', 'json']

/** @param {Target} target */
function describeTarget ({ name, measured, bound, kind }) {
  const met = kind === 'most' ? measured <= bound : measured >= bound
  // A difference may be 0 or negative. Then a share of it has no meaning.
  const off = met || bound <= 0 ? '' : ` (by ${(Math.abs(measured / bound - 1) * 100).toFixed(0)} %)`
  return `${met ? 'met   ' : 'MISSED'} ${name}: ${measured.toFixed(2)}, at ${kind} ${bound.toFixed(2)}${off}`
}

module.exports = { OURS, describeTarget }
