'use strict'

// The clock and the turns of the event loop, as they were when the package was loaded: fake timers of jest or sinon replace
// the globals, and a callback that they hold is never called. One clock ends sessions, and that is the machine's.
//
// Where the package is loaded with fake timers already in place, those of Node.js's own modules stand in for them.

const { performance } = require('node:perf_hooks')
const timers = require('node:timers')

/**
 * @param {Function | undefined} global
 * @returns {boolean} whether fake timers have put it there: all of them mark what they put
 */
const isFake = global => global === undefined || 'clock' in global || '_isMockFunction' in global

const { now } = isFake(Date) ? { now: () => Math.floor(performance.timeOrigin + performance.now()) } : Date
/** @type {{ nextTick: (callback: Function, ...args: any[]) => void }} */
const { nextTick } = isFake(process.nextTick) ? { nextTick: /** @type {any} */ (timers.setImmediate) } : process
const { clearTimeout, setImmediate, setTimeout } = isFake(globalThis.setImmediate) || isFake(globalThis.setTimeout) ? timers : globalThis

/** Milliseconds of a clock that is never set back: for durations. */
const elapsed = performance.now.bind(performance)

module.exports = { clearTimeout, elapsed, nextTick, now, setImmediate, setTimeout }
