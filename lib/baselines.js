'use strict'

// What was known of a session when it was loaded or last written, beside the object that the
// application changes: the base of the merge that a later set makes (src/store/baseline.rs).
//
// express-session passes what `get` returned to `createSession`, and the Session that makes to
// `set` and `touch`. A framework that copies the session into an object of its own has no
// baseline, and its sets replace the whole session.

/** @type {WeakMap<object, string>} */
const baselines = new WeakMap()

/**
 * A session from the text that the core loaded: a head, and the session's JSON.
 * @param {string} text
 */
function load (text) {
  const session = JSON.parse(text.slice(text.indexOf('{')))
  baselines.set(session, text)
  return session
}

/**
 * @param {object} from
 * @param {object} to
 */
function pass (from, to) {
  const text = baselines.get(from)
  if (text !== undefined) baselines.set(to, text)
}

/** @param {object} session */
function of (session) {
  return baselines.get(session)
}

/** @type {WeakMap<object, number>} */
const numbers = new WeakMap()
let last = 0

/**
 * The number of a session object, by which the core knows which of its sets belong together, even
 * before the answer to the first has arrived (src/store/writers.rs).
 * @param {object} session
 */
function writer (session) {
  let number = numbers.get(session)
  if (number === undefined) numbers.set(session, number = ++last)
  return number
}

/**
 * @param {object} session
 * @param {string} text
 */
function keep (session, text) {
  baselines.set(session, text)
}

module.exports = { keep, load, of, pass, writer }
