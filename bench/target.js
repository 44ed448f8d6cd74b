'use strict'

// A target: what this store has set itself to reach, and whether it does.

/**
 * @typedef {{ name: string, measured: number, bound: number, kind: 'most' | 'least' }} Target
 */

/** The stores that have targets. */
const OURS = ['map', 'json']

/** @param {Target} target */
function tell ({ name, measured, bound, kind }) {
  const met = kind === 'most' ? measured <= bound : measured >= bound
  // A difference may be 0 or less: no share of it says anything.
  const off = met || bound <= 0 ? '' : ` (by ${(Math.abs(measured / bound - 1) * 100).toFixed(0)} %)`
  return `${met ? 'met   ' : 'MISSED'} ${name}: ${measured.toFixed(2)}, at ${kind} ${bound.toFixed(2)}${off}`
}

module.exports = { OURS, tell }
