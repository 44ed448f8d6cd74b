'use strict'

// The clock and timer functions as they were when the package was loaded. Fake timers of jest or sinon replace the globals:
// callbacks would then wait until the test advances its clock, and sessions would not expire by the machine's clock.
//
// If the package is loaded while fake timers are active, the functions of Node.js's own modules are used instead.

const { performance } = require('node:perf_hooks')
const timers = require('node:timers')

/**
 * @param {Function | undefined} global
 * @returns {boolean} true if fake timers have replaced it: they mark their functions
 */
const isFake = global => global === undefined || 'clock' in global || '_isMockFunction' in global

const { now } = isFake(Date) ? { now: () => Math.floor(performance.timeOrigin + performance.now()) } : Date
/** @type {{ nextTick: (callback: Function, ...args: any[]) => void }} */
const { nextTick } = isFake(process.nextTick) ? { nextTick: /** @type {any} */ (timers.setImmediate) } : process
const { clearInterval, clearTimeout, setImmediate, setInterval, setTimeout } = isFake(globalThis.setImmediate) || isFake(globalThis.setTimeout) ? timers : globalThis

/** Returns milliseconds of a monotonic clock, for durations. */
const elapsed = performance.now.bind(performance)

module.exports = { clearInterval, clearTimeout, elapsed, nextTick, now, setImmediate, setInterval, setTimeout }
