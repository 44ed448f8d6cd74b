'use strict'

// Runs the same random histories on two servers, and prints the first difference between their responses.
// See README.md.

const crypto = require('node:crypto')
const { parseArgs } = require('node:util')
const { ScriptError, runMain } = require('../../scripts/build')
const { describe } = require('./describe')
const { findDifference } = require('./history')
const { Random } = require('./random')
const { isLost, shrink } = require('./shrink')

/** @typedef {import('./history').Target} Target */
/** @typedef {import('./history').Step} Step */
/** @typedef {import('./history').Difference} Difference */
/** @typedef {{ namespace: string, set: string }} Where */

/** Steps in a history. */
const LENGTH = { least: 5, most: 30 }

const USAGE = `Usage: npm run differential -- --left HOST:PORT --right HOST:PORT [options]

  --seed TEXT       the histories to play              (default: a random one)
  --steps N         about how many steps               (default: 2000)
  --only WHAT       official, ours, info, or one theme of the official client: records, lists,
                    maps, batches, scans, indexes, mixed
  --history N       only the history of this number, as a report names it
  --most N          differences to report before it stops (default: 1)
  --namespace NAME  (default: test)`

/** The kinds of histories: what creates their steps, and what runs them on a server. */
function suites () {
  const { THEMES } = require('./official/steps')
  const { OfficialTarget } = require('./official/run')
  const { InfoTarget, infoStep } = require('./info')
  const { OurTarget, ourStep } = require('./ours')
  return {
    official: { themes: THEMES, open: (/** @type {string} */ hosts, /** @type {Where} */ where) => OfficialTarget.open(hosts, where) },
    info: { themes: { info: infoStep }, open: async (/** @type {string} */ hosts, /** @type {Where} */ where) => new InfoTarget(hosts, where) },
    ours: { themes: { ours: ourStep }, open: async (/** @type {string} */ hosts, /** @type {Where} */ where) => new OurTarget(hosts, where) }
  }
}

/** @param {string[]} args */
function options (args) {
  let values
  try {
    values = parseArgs({
      args,
      options: {
        left: { type: 'string' },
        right: { type: 'string' },
        seed: { type: 'string', default: crypto.randomInt(2 ** 31).toString() },
        steps: { type: 'string', default: '2000' },
        only: { type: 'string' },
        history: { type: 'string' },
        most: { type: 'string', default: '1' },
        namespace: { type: 'string', default: 'test' }
      }
    }).values
  } catch (error) {
    throw new ScriptError(`${/** @type {Error} */ (error).message}\n\n${USAGE}`)
  }
  const { left, right } = values
  for (const hosts of [left, right]) if (!/^.+:\d+$/.test(hosts ?? '')) throw new ScriptError(USAGE)
  for (const number of [values.steps, values.most, values.history ?? '0']) if (!/^\d+$/.test(number)) throw new ScriptError(USAGE)
  return {
    ...values,
    left: String(left),
    right: String(right),
    steps: Number(values.steps),
    most: Number(values.most),
    history: values.history === undefined ? undefined : Number(values.history)
  }
}

/** @typedef {ReturnType<typeof options>} Options */

/**
 * The themes, which take turns.
 * @param {string | undefined} only
 */
function themesOf (only) {
  const all = Object.entries(suites()).flatMap(([suite, { themes, open }]) =>
    Object.entries(themes).map(([theme, step]) => ({ suite, theme, step, open })))
  const chosen = all.filter(({ suite, theme }) => only === undefined || only === suite || only === theme)
  if (chosen.length === 0) throw new ScriptError(USAGE)
  return chosen
}

/** @typedef {ReturnType<typeof themesOf>[number]} Theme */

/**
 * @param {Theme} theme
 * @param {Options} options
 * @param {number} number
 */
function makeHistory ({ theme, step }, { seed }, number) {
  const random = new Random(`${seed} ${theme} ${number}`)
  return random.list(LENGTH.least, LENGTH.most, () => step(random))
}

/**
 * @param {Difference} difference
 * @param {Options} options
 * @param {Theme} theme
 * @param {number} number
 */
function report ({ steps, left, right }, options, { theme }, number) {
  console.log('The shortest found:')
  for (const [index, step] of steps.entries()) console.log(`  ${index + 1}. ${describe(step)}`)
  console.log(`  left  ${options.left}: ${describe(left)}`)
  console.log(`  right ${options.right}: ${describe(right)}`)
  console.log(`Again: npm run differential -- --left ${options.left} --right ${options.right} --seed ${options.seed} --only ${theme} --history ${number}`)
}

async function main () {
  const chosen = options(process.argv.slice(2))
  const themes = themesOf(chosen.only)
  /** @type {Where} */
  const where = { namespace: chosen.namespace, set: `differential-${crypto.randomBytes(4).toString('hex')}` }
  /** @type {Map<string, [Target, Target]>} */
  const targets = new Map()
  /** @type {Map<string, number>} */
  const counts = new Map()
  let differences = 0
  let done = 0
  try {
    for (const { suite, open } of themes) {
      if (!targets.has(suite)) targets.set(suite, [await open(chosen.left, where), await open(chosen.right, where)])
    }
    for (let number = chosen.history ?? 0; done < chosen.steps && differences < chosen.most; number++) {
      const theme = themes[number % themes.length]
      const pair = /** @type {[Target, Target]} */ (targets.get(theme.suite))
      const steps = makeHistory(theme, chosen, number)
      const difference = await findDifference(pair, steps)
      if (difference !== null) {
        differences++
        console.log(`A difference: seed ${chosen.seed}, ${theme.theme}, history ${number}, step ${difference.step + 1}.`)
        const lost = isLost(difference)
        report(lost ? difference : await shrink(difference, fewer => findDifference(pair, fewer)), chosen, theme, number)
        if (lost) throw new ScriptError('A server is gone.')
      }
      done += steps.length
      for (const { kind } of steps) counts.set(kind, (counts.get(kind) ?? 0) + 1)
      if (chosen.history !== undefined) break
    }
  } finally {
    for (const pair of targets.values()) for (const target of pair) await target.close()
  }
  const summary = [...counts].sort(([, a], [, b]) => b - a).map(([kind, count]) => `${count} ${kind}`).join(', ')
  console.log(`${differences === 0 ? 'No difference' : `${differences} difference${differences > 1 ? 's' : ''}`} in ${done} steps (seed ${chosen.seed}): ${summary}.`)
  process.exitCode = differences === 0 ? 0 : 1
}

if (require.main === module) runMain(main)
