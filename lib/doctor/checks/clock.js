'use strict'

// Checks the clocks. `expires` is set by the clock of the writing machine, and a record's void time by that of its node.

const { Findings, number } = require('../finding')

/** Milliseconds: with a larger skew, a record counts as touched by other clients (src/store/expiry.rs). */
const MOST = 2_000
const NTP = 'set this clock by NTP (see timedatectl, or chronyc tracking); if it is right, those of the nodes'

/** @param {import('../finding').Facts} facts */
function clock ({ nodes, skews }) {
  const found = new Findings('Clock')
  const nodeSkew = Math.max(0, ...nodes.map(({ statistics }) => number(statistics, 'cluster_clock_skew_ms') ?? 0))
  if (nodeSkew > MOST) {
    found.add('problem', 'NODES_DISAGREE', `the clocks of the nodes are ${seconds(nodeSkew)} apart: sessions end at another time on another node, and ` +
      'of two writes the older may win', 'set the clocks of all nodes by NTP')
  }
  if (skews.length === 0) return found.list
  const ahead = skews.find(({ most }) => most < -MOST)
  const behind = skews.find(({ least }) => least > MOST)
  if (ahead !== undefined) {
    found.add('problem', 'CLOCK_SKEW', `this machine's clock is ${seconds(-middle(ahead))} ahead of the nodes': sessions that other machines wrote ` +
      'end that much too early here, and cookies that much too late in browsers', NTP)
  } else if (behind !== undefined) {
    found.add('problem', 'CLOCK_SKEW', `this machine's clock is ${seconds(middle(behind))} behind the nodes': cookies end that much too early in ` +
      'browsers, and other machines take sessions that were written here for extended', NTP)
  } else {
    found.ok('CLOCK', `this machine and the nodes agree, to within ${seconds(Math.max(...skews.map(within)))}`)
  }
  return found.list
}

/** @param {import('../facts').Skew} skew */
function middle ({ least, most }) {
  return (least + most) / 2
}

/**
 * Returns how far apart the two clocks can be at most.
 * @param {import('../facts').Skew} skew
 */
function within ({ least, most }) {
  return Math.max(Math.abs(least), Math.abs(most))
}

/** @param {number} ms */
function seconds (ms) {
  return ms < 120_000 ? `${(Math.ceil(ms / 100) / 10).toFixed(1)} s` : `${Math.round(ms / 60_000)} minutes`
}

module.exports = { clock }
