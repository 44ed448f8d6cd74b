'use strict'

// What the JavaScript thread and the process have used so far.

const fs = require('node:fs')
const { performance } = require('node:perf_hooks')

const THREAD = '/proc/thread-self/schedstat'
const HAS_THREAD_CLOCK = fs.existsSync(THREAD)

/** Microseconds this thread has run, by the kernel's own clock; where there is none (not Linux), the event loop's busy time. */
function threadCpu () {
  if (!HAS_THREAD_CLOCK) return performance.eventLoopUtilization().active * 1_000
  return Number(fs.readFileSync(THREAD, 'latin1').split(' ', 1)[0]) / 1_000
}

/** Microseconds. */
function readClocks () {
  const { user, system } = process.cpuUsage()
  const { active, idle } = performance.eventLoopUtilization()
  return { now: performance.now() * 1_000, thread: threadCpu(), process: user + system, active: active * 1_000, idle: idle * 1_000 }
}

/**
 * @typedef {{ jsUs: number, cpuUs: number, loopUs: number, utilisation: number, rss: number }} Used
 *   microseconds per operation: of the JavaScript thread, of the process, of the busy event loop; the loop's busy share; bytes
 */

/**
 * @param {ReturnType<typeof readClocks>} since
 * @param {number} operations
 * @returns {Used}
 */
function usedSince (since, operations) {
  const now = readClocks()
  const [active, idle] = [now.active - since.active, now.idle - since.idle]
  return {
    jsUs: (now.thread - since.thread) / operations,
    cpuUs: (now.process - since.process) / operations,
    loopUs: active / operations,
    utilisation: active / (active + idle),
    rss: process.memoryUsage.rss()
  }
}

module.exports = { readClocks, usedSince }
