'use strict'

// The output: a line of progress, and at the end a table and every violation.

const { RECOVERY } = require('./timeline')
const { mib } = require('./site')

/** @typedef {{ ledger: import('./ledger').Ledger, timeline: import('./timeline').Timeline, traffic: import('./traffic').Traffic, site: import('./site').Site, pace: import('./pace').Pace }} Run */

/** @param {number} number */
const thousands = number => number.toLocaleString('en')
/** @param {number} ms */
const seconds = ms => `${(ms / 1_000).toFixed(2)} s`
/** @param {Record<string, number>} codes */
const byCode = codes => Object.entries(codes).map(([code, count]) => `${code} ${thousands(count)}`).join(', ')

/** @param {Run} run */
function progress ({ ledger, timeline, traffic }) {
  const { current, last } = timeline
  const now = current === undefined ? 'nothing is wrong' : ledger.now() < current.ended ? current.text : `recovering from: ${last?.text}`
  const failed = traffic.counts.failed === 0 ? 'none failed' : `${thousands(traffic.counts.failed)} failed (${byCode(traffic.codes)})`
  return `${Math.floor(ledger.now() / 1_000)} s: ${thousands(traffic.counts.requests)} requests, ${failed}, ${ledger.violated} violations; ${now}`
}

/**
 * Aligns rows in columns.
 * @param {string[][]} rows
 */
function columns (rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map(row => row[column].length)))
  return rows.map(row => row.map((cell, column) => column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column])).join('  ').trimEnd()).join('\n')
}

/** @param {import('./timeline').Timeline} timeline */
function faultTable ({ entries }) {
  const rows = [['fault', 'times', 'requests', 'failed', 'slowest', 'last failure after it began', 'after it ended']]
  for (const name of new Set(entries.map(({ name }) => name))) {
    const all = entries.filter(entry => entry.name === name)
    const sum = (/** @type {(entry: import('./timeline').Entry) => number} */ of) => all.reduce((sum, entry) => sum + of(entry), 0)
    const most = (/** @type {(entry: import('./timeline').Entry) => number} */ of) => Math.max(...all.map(of))
    rows.push([
      name, String(all.length), thousands(sum(({ requests }) => requests)), thousands(sum(({ failed }) => failed)),
      seconds(most(({ slowest }) => slowest)), secondsOrNone(most(({ lastDuring }) => lastDuring)), secondsOrNone(most(({ lastAfter }) => lastAfter))
    ])
  }
  const failures = entries.filter(({ failed }) => failed > 0).map(({ text, failures }) => `failed of ${text}: ${byCode(failures)}`)
  return [columns(rows), ...failures].join('\n')
}

/** @param {number} ms */
const secondsOrNone = ms => ms === 0 ? '-' : seconds(ms)

/** @param {Run} run */
function summary ({ ledger, traffic, site, pace }) {
  const { counts } = ledger
  const longest = (/** @type {string} */ operation) => Math.max(0, ...site.last.map(({ longest }) => longest[operation] ?? 0))
  const operations = ['get', 'set', 'touch', 'destroy', 'destroyOf', 'renew']
  /** @type {Record<string, number>} */
  const unseen = {}
  for (const look of site.last) for (const [code, count] of Object.entries(look.unseen)) unseen[code] = (unseen[code] ?? 0) + count
  const share = (100 * traffic.counts.failed / Math.max(1, traffic.counts.requests)).toFixed(3)
  return columns([
    ['requests', `${thousands(traffic.counts.requests)} (${thousands(Math.round(traffic.counts.requests / ledger.now() * 1_000))} a second; ${thousands(pace.missed)} turns not taken)`],
    ['failed', `${thousands(traffic.counts.failed)} (${share} %)${traffic.counts.failed > 0 ? `: ${byCode(traffic.codes)}` : ''}`],
    ['failed touches at the end of a request', byCode(unseen) || '0'],
    ['acknowledged', `${thousands(counts.writes)} writes, ${thousands(counts.logins)} logins, ${thousands(counts.logouts)} logouts, ${thousands(counts.everywhere)} logouts everywhere, ${thousands(counts.renewals)} renewals`],
    ['sessions', `${thousands(counts.evicted)} removed by the limit; ${thousands(counts.watches)} watches ended`],
    ['sessions read and checked', thousands(counts.reads)],
    ['writes in doubt', `${thousands(counts.inDoubt)}; seen after a newer one: ${thousands(counts.landedLate)}`],
    ['sessions lost with the whole cluster', thousands(counts.lost)],
    ['store operations', `${thousands(site.last.reduce((sum, { operations }) => sum + operations, 0))}; longest: ${operations.map(operation => `${operation} ${seconds(longest(operation))}`).join(', ')}`],
    ['slowest request', seconds(traffic.counts.slowest)],
    ['memory, at the end', site.last.map(({ memory, files }) => `${mib(memory)} MiB and ${files} files`).join(', ')]
  ].map(([name, value]) => [`${name}  `, value])).replace(/ {2,}/g, '  ')
}

/**
 * Returns one line for each node that was killed or frozen.
 * @param {import('./timeline').Timeline} timeline
 */
function nodeLines ({ entries }) {
  return entries.filter(({ name }) => name === 'kill' || name === 'freeze').map(({ text, requests, failed, lastDuring, lastAfter, slowest, began, ended }) => {
    const share = (100 * failed / Math.max(1, requests)).toFixed(3)
    const last = lastAfter > 0 ? ended - began + lastAfter : lastDuring
    const when = failed === 0 ? '' : `, the last of them begun ${seconds(last)} after it`
    return `${text} for ${seconds(ended - began)}: ${thousands(requests)} requests until ${RECOVERY / 1_000} s after, ${thousands(failed)} failed (${share} %)${when}; slowest success ${seconds(slowest)}`
  })
}

/**
 * Returns which faults were active when, to explain violations.
 * @param {import('./timeline').Timeline} timeline
 */
function faultLines ({ entries }) {
  return entries.map(({ text, began, ended }) => `${seconds(began)}–${seconds(ended)} ${text}`).join('\n')
}

/**
 * Returns the whole report.
 * @param {Run} run
 */
function report (run) {
  const { ledger, timeline } = run
  const parts = [summary(run)]
  if (timeline.entries.length > 0) parts.push(faultTable(timeline))
  const nodes = nodeLines(timeline)
  if (nodes.length > 0) parts.push(nodes.join('\n'))
  if (ledger.violated > 0) parts.push(faultLines(timeline))
  for (const { rule, text } of ledger.violations) parts.push(`VIOLATION: ${rule}\n  ${text}`)
  if (ledger.violated > ledger.violations.length) parts.push(`and ${ledger.violated - ledger.violations.length} violations more`)
  return parts.join('\n\n')
}

module.exports = { progress, report }
