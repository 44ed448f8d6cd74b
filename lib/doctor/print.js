'use strict'

// Prints findings and facts as text.

const util = require('node:util')
const { printable } = require('../printable')
const { plural } = require('./finding')

/** @typedef {'bold' | 'dim' | 'green' | 'red' | 'yellow' | 'cyan'} Style */
/** @typedef {(style: Style, text: string) => string} Paint */

const MARKS = /** @type {Record<import('./finding').Level, [string, Style]>} */ ({
  ok: ['✔', 'green'], note: ['•', 'cyan'], warning: ['!', 'yellow'], problem: ['✖', 'red']
})

/**
 * Returns a function that adds colours if the stream is a terminal with colours. Honours NO_COLOR and FORCE_COLOR as Node.js
 * does.
 *
 * @param {NodeJS.WriteStream} stream
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {Paint}
 */
function painter (stream, env = process.env) {
  const forced = !env.NO_COLOR && env.FORCE_COLOR !== undefined && !['0', 'false'].includes(env.FORCE_COLOR)
  const coloured = forced || (stream.isTTY === true && stream.hasColors())
  // Node.js before 20.12 has no styleText.
  if (!coloured || util.styleText === undefined) return (_, text) => text
  // Without this option, newer versions would check standard output themselves.
  return (style, text) => util.styleText(style, text, /** @type {any} */ ({ validateStream: false }))
}

/**
 * @param {import('./facts').Facts} facts
 * @param {import('./finding').Finding[]} findings
 * @param {Paint} paint
 */
function report (facts, findings, paint) {
  const { hosts, namespace, set } = facts.target
  const parts = [`${paint('bold', 'Aerospike for sessions')}: ${printable(`${hosts.join(', ')}, namespace ${namespace}, set ${set}`)}\n`]
  for (const about of new Set(findings.map(({ about }) => about))) {
    parts.push(`\n${paint('bold', about)}\n`)
    parts.push(...findings.filter(finding => finding.about === about).map(finding => one(finding, paint)))
  }
  parts.push(times(facts, paint), `\n${verdict(findings, paint)}\n`)
  return parts.join('')
}

/**
 * @param {import('./finding').Finding} finding
 * @param {Paint} paint
 */
function one ({ level, code, text, advice }, paint) {
  const [mark, style] = MARKS[level]
  const name = level === 'ok' ? '' : ` ${paint('dim', `[${code}]`)}`
  const what = advice === undefined ? '' : `    → ${printable(advice)}\n`
  return `  ${paint(style, mark)} ${printable(text)}${name}\n${what}`
}

/**
 * @param {import('./facts').Facts} facts
 * @param {Paint} paint
 */
function times ({ smokeTest }, paint) {
  const rows = Object.entries(smokeTest?.times ?? {})
  if (rows.length === 0) return ''
  const columns = /** @type {const} */ (['p50', 'p95', 'p99', 'max'])
  const cells = (/** @type {string} */ name, /** @type {string[]} */ values) => `  ${name.padEnd(8)}${values.map(value => value.padStart(9)).join('')}\n`
  return [
    `\n${paint('bold', 'Round trips')}, in ms, of ${plural(Math.max(...rows.map(([, { count }]) => count)), 'throw-away session')}, one after the other\n`,
    paint('dim', cells('', [...columns])),
    ...rows.map(([step, taken]) => cells(step, columns.map(column => taken[column].toFixed(2))))
  ].join('')
}

/**
 * @param {import('./finding').Finding[]} findings
 * @param {Paint} paint
 */
function verdict (findings, paint) {
  const count = (/** @type {import('./finding').Level} */ wanted) => findings.filter(({ level }) => level === wanted).length
  const [problems, warnings, notes] = [count('problem'), count('warning'), count('note')]
  const rest = [warnings > 0 && plural(warnings, 'warning'), notes > 0 && plural(notes, 'note')].filter(Boolean).join(', ')
  const first = problems > 0 ? paint('red', plural(problems, 'problem')) : paint('green', 'No problem')
  return `${first}${rest === '' ? '' : `, ${rest}`}.`
}

module.exports = { painter, report }
