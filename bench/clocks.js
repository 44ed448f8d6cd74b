'use strict'

// The resources that the JavaScript thread and the process have used so far, and how often their threads have gone to sleep.

const fs = require('node:fs')
const { performance } = require('node:perf_hooks')

const THREAD = '/proc/thread-self/schedstat'
const HAS_THREAD_CLOCK = fs.existsSync(THREAD)
const TASKS = '/proc/self/task'
const HAS_TASKS = fs.existsSync(TASKS)

/** Microseconds of this thread by the kernel's clock. Without one (not Linux), the busy time of the event loop. */
function threadCpu () {
  if (!HAS_THREAD_CLOCK) return performance.eventLoopUtilization().active * 1_000
  return Number(fs.readFileSync(THREAD, 'latin1').split(' ', 1)[0]) / 1_000
}

/**
 * Maps a kernel's thread name to a role of the core's threads. Linux keeps 15 characters of a name.
 * @param {string} comm
 */
function roleOf (comm) {
  return { 'aerospike-sessi': 'request', 'aerospike-tend': 'tend', 'aerospike-bulk': 'other' }[comm] ?? 'other'
}

/**
 * @typedef {{ js: number, request: number, tend: number, other: number }} Switches
 * voluntary context switches: of the JavaScript thread, of the core's two threads, and of all other threads together
 */

/**
 * Returns how often each thread of this process has waited so far. NaN if the system does not report it (not Linux).
 * @returns {Switches}
 */
function countSwitches () {
  if (!HAS_TASKS) return { js: NaN, request: NaN, tend: NaN, other: NaN }
  const counts = { js: 0, request: 0, tend: 0, other: 0 }
  for (const task of fs.readdirSync(TASKS)) {
    let status
    try {
      status = fs.readFileSync(`${TASKS}/${task}/status`, 'utf8')
    } catch {
      continue // The thread has ended in the meantime.
    }
    const role = Number(task) === process.pid ? 'js' : roleOf(/^Name:\t(.*)$/m.exec(status)?.[1] ?? '')
    counts[/** @type {keyof Switches} */ (role)] += Number(/^voluntary_ctxt_switches:\t(\d+)$/m.exec(status)?.[1])
  }
  return counts
}

/** Times in microseconds. */
function readClocks () {
  // Read first here and last in `usedSince`, so that the time for counting is not measured.
  const switches = countSwitches()
  const { user, system } = process.cpuUsage()
  const { active, idle } = performance.eventLoopUtilization()
  return { switches, thread: threadCpu(), process: user + system, active: active * 1_000, idle: idle * 1_000 }
}

/**
 * @typedef {{ jsUs: number, cpuUs: number, loopUs: number, utilisation: number, rss: number,
 *   jsSwitches: number, requestSwitches: number, tendSwitches: number, otherSwitches: number }} Used
 *   microseconds per operation: of the JavaScript thread, of the process, of the busy event loop; the loop's busy share; bytes;
 *   voluntary context switches per operation, by thread
 */

/**
 * @param {ReturnType<typeof readClocks>} since
 * @param {number} operations
 * @returns {Used}
 */
function usedSince (since, operations) {
  const [thread, { user, system }] = [threadCpu(), process.cpuUsage()]
  const loop = performance.eventLoopUtilization()
  const [active, idle] = [loop.active * 1_000 - since.active, loop.idle * 1_000 - since.idle]
  const switches = countSwitches()
  return {
    jsUs: (thread - since.thread) / operations,
    cpuUs: (user + system - since.process) / operations,
    loopUs: active / operations,
    utilisation: active / (active + idle),
    rss: process.memoryUsage.rss(),
    jsSwitches: (switches.js - since.switches.js) / operations,
    requestSwitches: (switches.request - since.switches.request) / operations,
    tendSwitches: (switches.tend - since.switches.tend) / operations,
    otherSwitches: (switches.other - since.switches.other) / operations
  }
}

module.exports = { readClocks, usedSince }
