'use strict'

// npm run torture: a site under load during faults, and a checker that knows every acknowledged write. docs/torture.md describes
// it.

const crypto = require('node:crypto')
const { setTimeout: pass } = require('node:timers/promises')
const { build, runMain } = require('../../scripts/build')
const { Random } = require('../../devserver/differential/random')
const { DevCluster } = require('./dev-cluster')
const { faults } = require('./faults')
const { LIMIT, Ledger } = require('./ledger')
const { readOptions } = require('./options')
const { Pace } = require('./pace')
const { RealCluster } = require('./real-cluster')
const { progress, report } = require('./report')
const { Site } = require('./site')
const { Timeline } = require('./timeline')
const { Traffic } = require('./traffic')
const { Visitor, look } = require('./visitor')

/** Sessions that are checked in parallel in a sweep. */
const SWEEP = 24
/** How many sweeps look for a removed session. The last sweep looks for all. */
const SWEEPS = 2
/** How often a session is read until a read succeeds. */
const TRIES = 100
/** The number of violations that stops the run. */
const ENOUGH = 100
/** Milliseconds. */
const MOMENT = 50

/** @typedef {import('./report').Run & { options: import('./options').Options, random: Random, cluster: DevCluster | RealCluster }} Test */

/**
 * Reads every known session, including removed ones: after a fault none may be missing, and none may be restored.
 * @param {Test} test
 * @param {boolean} [isLast] also those that were looked for after they were gone
 */
async function sweep ({ ledger, traffic }, isLast = false) {
  const gone = ledger.gone.filter(session => isLast || session.sweeps++ < SWEEPS)
  const sessions = [...ledger.open, ...gone].values()
  await Promise.all(Array.from({ length: SWEEP }, async () => {
    for (const session of sessions) {
      // The failure itself is checked where it is counted. Here the session stays unchecked.
      let tries = 0
      while (!await look(traffic, ledger, session) && ++tries < TRIES) await pass(MOMENT)
      if (tries === TRIES) ledger.violation('a session cannot be read', `session ${session.number}`)
    }
  }))
}

/**
 * Runs one fault after the other, with a sweep after each.
 * @param {Test} test
 */
async function breakThings (test) {
  const { options, ledger, timeline, random, cluster } = test
  const end = ledger.now() + options.seconds * 1_000
  /** Waits until this time, or until more would show nothing new. @param {number} time */
  const until = async time => {
    while (ledger.now() < time && !isDecided(test)) await pass(Math.min(MOMENT, time - ledger.now()))
  }
  for (const fault of faults(random, cluster, options.only)) {
    await until(Math.min(end, ledger.now() + options.pause * 1_000))
    if (ledger.now() >= end || isDecided(test)) return
    timeline.begin(fault)
    await fault.begin()
    if (fault.loses) ledger.allLost()
    await until(ledger.now() + fault.hold)
    await fault.end()
    // Logins may have been in flight until the cluster was back.
    if (fault.loses) ledger.allLost()
    timeline.end()
    do await pass(MOMENT); while (!timeline.isQuiet)
    await sweep(test)
    await cluster.settled()
  }
  await until(end)
}

/**
 * Returns true if the saboteur has been detected, or if there are too many violations.
 * @param {Test} test
 */
function isDecided ({ options, ledger }) {
  return ledger.violated > (options.plant === undefined ? ENOUGH : 0)
}

/**
 * Returns the user of a visitor. Most users have as many browsers as sessions are allowed, and some have twice as many.
 * @param {number} n
 */
function userOf (n) {
  const group = Math.floor(n / LIMIT)
  return `user-${group % 10 === 9 ? group - 1 : group}`
}

/**
 * Logs in each user once more, with nothing else in flight: then the user has no more sessions than the limit.
 * @param {Test} test
 */
async function checkLimit ({ ledger, traffic, random }) {
  const users = ledger.users.values()
  await Promise.all(Array.from({ length: SWEEP }, async () => {
    for (const user of users) {
      const visitor = new Visitor({ traffic, ledger, random, user: user.name })
      if (!await visitor.logInOnce()) continue
      for (const session of [...user.sessions]) await look(traffic, ledger, session)
      ledger.counted(user, user.sessions.size)
    }
  }))
}

/** @param {Test} test */
async function play (test) {
  const { options, ledger, traffic, pace, site } = test
  const over = new AbortController()
  ledger.start()
  pace.start()
  const visitors = Array.from({ length: options.visitors }, (_, n) => {
    const own = new Random(`${options.seed} visitor ${n}`)
    return new Visitor({ traffic, ledger, random: own, user: userOf(n) }).visit(over.signal)
  })
  const progressTimer = setInterval(() => {
    site.look()
    if (!options.quiet) printProgress(progress(test))
  }, 1_000)
  try {
    await breakThings(test)
  } finally {
    over.abort()
    pace.stop()
    await Promise.all(visitors)
    clearInterval(progressTimer)
  }
  if (!isDecided(test)) await sweep(test, true)
  if (!isDecided(test)) await checkLimit(test)
  if (!isDecided(test)) await site.checkWatches()
  await site.look()
}

let lastPrinted = -Infinity

/** @param {string} text */
function printProgress (text) {
  if (process.stderr.isTTY) return process.stderr.write(`\r\x1b[K${text}`)
  if (performance.now() - lastPrinted < 5_000) return
  lastPrinted = performance.now()
  process.stderr.write(`${text}\n`)
}

async function torture () {
  const options = readOptions(process.argv.slice(2))
  if (options === undefined) return
  build()
  const ledger = new Ledger()
  const random = new Random(options.seed)
  const timeline = new Timeline(ledger)
  const pace = new Pace(options.rate)
  const traffic = new Traffic({ ledger, timeline, pace, random: new Random(`${options.seed} traffic`), timeout: options.timeout })
  const site = new Site(ledger)
  const cluster = options.hosts === undefined
    ? new DevCluster({ data: options.data, whenEnded: how => ledger.violation('the dev server crashed', how) })
    : new RealCluster({ hosts: options.hosts, command: options.nodes })
  try {
    await cluster.open()
    console.log(`Seed ${options.seed}; ${cluster.name}; ${options.processes} processes of the site, ${options.visitors} visitors, ${options.rate} requests a second${options.plant === undefined ? '' : `; planted: ${options.plant}`}`)
    const { format, timeout, tombstones, plant } = options
    const set = `torture-${crypto.randomBytes(4).toString('hex')}`
    traffic.aim(await site.open(options.processes, { hosts: cluster.hosts, set, format, timeout, tombstones, maxSessionsPerUser: LIMIT, plant }))
    const test = { options, ledger, timeline, traffic, pace, random, site, cluster }
    await play(test)
    traffic.close()
    await site.close(options.visitors * 5 + SWEEP, cluster.size)
    if (process.stderr.isTTY) printProgress('')
    console.log(`\n${report(test)}\n`)
    console.log(ledger.violated === 0 ? 'Nothing was lost, undone, late or left behind.' : `${ledger.violated} violations (seed ${options.seed}).`)
    process.exitCode = ledger.violated === 0 ? 0 : 1
  } finally {
    pace.stop()
    await site.kill()
    await cluster.close()
  }
}

runMain(torture)
