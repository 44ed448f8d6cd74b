'use strict'

// The model of one session: what may be stored under its id, after everything that was asked for it. It is small enough to be
// read, and knows nothing of how the store does it. The rule:
//
// - A change that was acknowledged is there until somebody else changes that key, or removes the session.
// - A change that failed is not there; one that failed and is in doubt is there or is not.
// - A session that was removed, or has ended, does not come back, and `gone` is emitted for no other.
//
// A state is `{ live, of }`. `live` is null, or `{ data, cookie, lo, hi, born }`: the end in milliseconds, known up to lo..hi, and the
// event that began the session, by which it is told from a later one under the same id. `of` has the sessions that objects of the
// application stand for, by the event that they come from. Where several things may have happened, there are several states.

const { isDeepStrictEqual } = require('node:util')

/** More states than this are not followed: nothing is checked any more. */
const MOST_STATES = 300

const copy = value => JSON.parse(JSON.stringify(value))

/** A session's parts as they are stored. */
function parts (session) {
  const { cookie: { expires, ...cookie }, ...data } = copy(session)
  return { data, cookie, expires }
}

const unique = states => [...new Map(states.map(state => [JSON.stringify(state), state])).values()]

/** Whatever may be true of the session from `t0` to `t1`: that it lives, or that it has ended. */
function atTime (states, { t0, t1 }) {
  return states.flatMap(state => {
    if (state.live === null) return [state]
    return [...(state.live.hi > t0 ? [state] : []), ...(state.live.lo <= t1 ? [{ ...state, live: null }] : [])]
  })
}

/**
 * What a session object was known to hold when it was written. `base` is what the application knows if all it asked for has
 * succeeded: `{ event, data, cookie, prior }`. A write that failed is left out; one in doubt makes what it changed uncertain.
 */
function known (base) {
  if (base === null) return null
  const { event, data, cookie } = base
  const prior = known(base.prior)
  if (event.what === 'read') return { ...base, root: event.n, doubts: [], earlier: [] }
  if (event.error === undefined) {
    // A touch writes no data: what was uncertain stays so.
    const doubts = event.touch ? prior.doubts.map(doubt => ({ ...doubt, cookie })) : []
    const earlier = prior === null ? [] : [prior.data, ...prior.earlier, ...prior.doubts.map(({ data }) => data)]
    return { ...base, root: prior?.root ?? event.n, doubts, earlier }
  }
  if (prior === null || !event.error.inDoubt) return prior
  return { ...prior, doubts: [...prior.doubts, { data, cookie }] }
}

/** What is there after a write of a whole session, or of what changed in one that is known. */
function write (state, event) {
  const { now, touch, overwrite, throttled, end, t0, n } = event
  const base = known(event.base)
  const { live, of } = state
  if (base === null) {
    if (touch) return [state]
    const born = live?.born ?? n
    return [{ live: { ...parts(now), ...end, born, expires: undefined }, of: { ...of, [n]: born } }]
  }
  if (live === null || !mayBe(event, of[base.root], live.born)) return [state]
  const isOther = of[base.root] !== live.born ? [state] : []
  const { data, cookie } = parts(now)
  const all = [base, ...base.doubts]
  const differs = key => all.some(one => (key in one.data) !== (key in data) || !isDeepStrictEqual(data[key], one.data[key]))
  const keys = [...new Set([data, ...all.map(one => one.data)].flatMap(Object.keys))].filter(differs)
  const quiet = touch || keys.length === 0
  const sameCookie = all.every(one => isDeepStrictEqual(cookie, one.cookie))
  const merged = quiet ? live.data : overwrite ? data : merge(live.data, data, keys)
  const written = { ...state, live: { data: merged, cookie: sameCookie ? live.cookie : cookie, ...end, born: live.born } }
  // What others wrote as plain text is encrypted with the next write, all of it.
  if (event.encrypts && sameCookie) isOther.push({ ...written, live: { ...written.live, cookie } })
  if (!quiet || !sameCookie || base.doubts.length > 0) return [written, ...isOther]
  // Next to nothing to say right after a write: it may be left out.
  const slack = 2 * Math.min(1_000, (end.hi - t0) / 20) + 2
  const may = base.written && Math.abs(end.lo - base.end.lo) <= slack
  return may || (touch && throttled) ? [state, written, ...isOther] : [written, ...isOther]
}

/** Whether two sessions of an id may be taken for one: they are told apart by the millisecond in which they began. */
function mayBe ({ log }, one, other) {
  return one === other || (log[one].t0 <= log[other].t1 && log[other].t0 <= log[one].t1)
}

function merge (theirs, ours, keys) {
  const merged = { ...theirs }
  for (const key of keys) {
    if (key in ours) merged[key] = ours[key]
    else delete merged[key]
  }
  return merged
}

/** Whether a session that was read is the one of a state. */
function fits ({ live }, { seen, t0, t1 }) {
  if (live === null || seen === null) return live === null && seen === null
  const { data, cookie, expires } = parts(seen)
  const ends = expires === null ? live.hi : new Date(expires).getTime()
  if (!isDeepStrictEqual(data, live.data) || ends < live.lo || ends > live.hi) return false
  if (live.cookie !== null) return isDeepStrictEqual(cookie, live.cookie) && (expires === null) === (cookie.originalMaxAge === null)
  // A session of the recipe has a cookie that is made from the time it has left.
  const { originalMaxAge, ...rest } = cookie
  return isDeepStrictEqual(rest, { httpOnly: true, path: '/' }) && originalMaxAge <= live.hi - t0 && originalMaxAge >= live.lo - t1
}

/** The states after a read, which saw one of `now`, or of what was there before while something was under way. */
function read (now, event, before) {
  const { seen, n } = event
  if (seen === null) {
    if (before.some(state => fits(state, event))) return now
    return now.filter(state => fits(state, event))
  }
  const narrowed = now.filter(state => fits(state, event)).map(state => {
    const { live, of } = state
    const { expires } = parts(seen)
    const end = expires === null || live.loose ? {} : { lo: new Date(expires).getTime(), hi: new Date(expires).getTime() }
    return { live: { ...live, ...end }, of: { ...of, [n]: live.born } }
  })
  const earlier = before.filter(state => fits(state, event)).map(({ live }) => live.born)
  return [...narrowed, ...earlier.flatMap(born => now.map(state => ({ ...state, of: { ...state.of, [n]: born } })))]
}

/** The states that may be after an event that was carried out, from those that may be before. */
function carriedOut (states, event, before) {
  const now = atTime(states, event)
  switch (event.what) {
    case 'destroy': return now.map(state => ({ ...state, live: null }))
    case 'write': return now.flatMap(state => write(state, event))
    case 'read': return read(now, event, before)
    // The recipe, and clients of other languages, replace the data, and leave the other bins as they are.
    case 'save': return now.map(({ live, of }) => {
      const { data, end, n } = event
      return { live: { cookie: null, born: n, ...live, ...end, data, loose: undefined }, of }
    })
    case 'put': return now.map(state => state.live === null ? state : { ...state, live: { ...state.live, ...event.end, data: event.data } })
    // Another prefix, whose key is that of this session, may use it only where there is none.
    case 'intrude': return now.filter(({ live }) => event.refused ? live !== null || event.mayLeave : live === null)
  }
}

/** The states that may be after an event, whatever came of it. */
function after (states, event, before) {
  if (event.error === undefined) return carriedOut(states, event, before)
  if (event.what === 'read' || !event.error.inDoubt) return states
  return [...states, ...carriedOut(states, event, before)]
}

/** Whether a write of changed data may, or must, meet a session that is gone. */
function gone (states, event) {
  const base = event.what === 'write' && event.error === undefined && !event.touch ? known(event.base) : null
  if (base === null) return { may: 0, must: 0 }
  // What was changed by a write that met nothing is still a change when it is written again, and no
  // change any more when it is taken back.
  const { data } = parts(event.now)
  const changed = [base.data, ...base.earlier, ...base.doubts.map(({ data }) => data)].map(known => !isDeepStrictEqual(data, known))
  const misses = ({ live, of }) => live === null || of[base.root] !== live.born
  const mustMiss = ({ live, of }) => live === null || !mayBe(event, of[base.root], live.born)
  const now = atTime(states, event)
  // A write that is repeated may end the session itself before it is repeated.
  const may = now.some(misses) || event.end.lo <= event.t1
  return {
    // What others wrote as plain text is encrypted by any set: that is a change too.
    may: Number((changed.includes(true) || event.encrypts) && may),
    must: Number(!changed.includes(false) && now.every(mustMiss))
  }
}

/** Checks all that happened to a session id, in the order it was asked for. Returns how many states it may be in. */
function check (log, goneEvents) {
  let states = [{ live: null, of: {} }]
  let [may, must] = [0, 0]
  for (const [n, event] of log.entries()) {
    event.n = n
    Object.defineProperty(event, 'log', { value: log })
  }
  const before = []
  for (const [n, event] of log.entries()) {
    before.push(states)
    const missing = gone(states, event)
    may += missing.may
    must += missing.must
    // A read may overtake what was under way when it was asked for.
    const first = event.overtakes ? log.findIndex(other => other.t1 >= event.t0) : n
    const next = unique(after(states, event, before.slice(first, n).flatMap(states => atTime(states, event))))
    if (next.length === 0) {
      throw new Error(`event ${n} (${event.what}): expected ${JSON.stringify(states)}, found ${JSON.stringify(event.seen ?? event.refused ?? null)}, after ${told(log.slice(0, n))}`)
    }
    if (next.length > MOST_STATES) return next.length
    states = next
  }
  if (goneEvents < must || goneEvents > may) throw new Error(`${goneEvents} 'gone' events, expected ${must} to ${may}: ${told(log)}`)
  return states.length
}

/** Events as text, one a line: times in milliseconds since the first, a base as the number of its event. */
function told (log) {
  const [{ t0: start } = {}] = log
  return log.map(({ n, what, base, t0, t1, end, called, ...event }) => {
    const more = { ...event, ...(base === undefined ? {} : { base: base && base.event.n }), ...(end && { end: [end.lo - start, end.hi - start] }) }
    return `\n  ${n} ${what} ${t0 - start} to ${t1 - start}: ${JSON.stringify(more)}`
  }).join('')
}

module.exports = { check, copy, parts }
