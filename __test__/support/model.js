'use strict'

// The model of one session: what may be stored under its id after all operations on it. It is small enough to read, and
// independent of the store's implementation. The rules:
//
// - An acknowledged change is stored until another writer changes the key, or the session is removed.
// - A change that failed is not stored. A change in doubt is stored or not.
// - A session that was removed or has expired is not restored. `gone` is emitted for such sessions only.
//
// A state is `{ live, of }`. `live` is null, or `{ data, cookie, lo, hi, born }`: the expiry in milliseconds is within lo..hi, and
// `born` is the event that created the session, which distinguishes it from a later one under the same id. `of` has the sessions
// of the application's objects, by the event that they come from. If several outcomes are possible, there are several states.

const { isDeepStrictEqual } = require('node:util')

/** The most states to follow. With more, nothing is checked. */
const MOST_STATES = 300

const copy = value => JSON.parse(JSON.stringify(value))

/** Returns the parts of a session as they are stored. */
function parts (session) {
  const { cookie: { expires, ...cookie }, ...data } = copy(session)
  return { data, cookie, expires }
}

const unique = states => [...new Map(states.map(state => [JSON.stringify(state), state])).values()]

/** Returns the possible states from `t0` to `t1`: the session is live or has expired. */
function atTime (states, { t0, t1 }) {
  return states.flatMap(state => {
    if (state.live === null) return [state]
    return [...(state.live.hi > t0 ? [state] : []), ...(state.live.lo <= t1 ? [{ ...state, live: null }] : [])]
  })
}

/**
 * The known data of a session object when it was written. `base` is what the application knows if all its calls succeeded:
 * `{ event, data, cookie, prior }`. A failed write is left out. One in doubt makes its changes uncertain.
 */
function known (base) {
  if (base === null) return null
  const { event, data, cookie } = base
  const prior = known(base.prior)
  if (event.what === 'read') return { ...base, root: event.n, doubts: [], earlier: [] }
  if (event.error === undefined) {
    // A touch writes no data, so uncertain keys stay uncertain.
    const doubts = event.touch ? prior.doubts.map(doubt => ({ ...doubt, cookie })) : []
    const earlier = prior === null ? [] : [prior.data, ...prior.earlier, ...prior.doubts.map(({ data }) => data)]
    return { ...base, root: prior?.root ?? event.n, doubts, earlier }
  }
  if (prior === null || !event.error.inDoubt) return prior
  return { ...prior, doubts: [...prior.doubts, { data, cookie }] }
}

/** Returns the state after a write of a whole session, or of the changes in a known one. */
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
  // The next write encrypts everything that others wrote as plain text.
  if (event.encrypts && sameCookie) isOther.push({ ...written, live: { ...written.live, cookie } })
  if (!quiet || !sameCookie || base.doubts.length > 0) return [written, ...isOther]
  // Directly after a write a touch changes almost nothing, so it may be skipped.
  const slack = 2 * Math.min(1_000, (end.hi - t0) / 20) + 2
  const may = base.written && Math.abs(end.lo - base.end.lo) <= slack
  return may || (touch && throttled) ? [state, written, ...isOther] : [written, ...isOther]
}

/** Returns true if two sessions of an id may be confused: they are distinguished by the millisecond of their creation. */
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

/** Returns true if a session that was read matches a state. */
function fits ({ live }, { seen, t0, t1 }) {
  if (live === null || seen === null) return live === null && seen === null
  const { data, cookie, expires } = parts(seen)
  const ends = expires === null ? live.hi : new Date(expires).getTime()
  if (!isDeepStrictEqual(data, live.data) || ends < live.lo || ends > live.hi) return false
  if (live.cookie !== null) return isDeepStrictEqual(cookie, live.cookie) && (expires === null) === (cookie.originalMaxAge === null)
  // A session of the recipe has a cookie made from the time left.
  const { originalMaxAge, ...rest } = cookie
  return isDeepStrictEqual(rest, { httpOnly: true, path: '/' }) && originalMaxAge <= live.hi - t0 && originalMaxAge >= live.lo - t1
}

/** Returns the states after a read, which saw one of `now`, or an earlier state if operations were in flight. */
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

/** Returns the possible states after an event that was applied. */
function carriedOut (states, event, before) {
  const now = atTime(states, event)
  switch (event.what) {
    case 'destroy': return now.map(state => ({ ...state, live: null }))
    case 'write': return now.flatMap(state => write(state, event))
    case 'read': return read(now, event, before)
    // The recipe and clients of other languages replace the data, and keep the other bins.
    case 'save': return now.map(({ live, of }) => {
      const { data, end, n } = event
      return { live: { cookie: null, born: n, ...live, ...end, data, loose: undefined }, of }
    })
    case 'put': return now.map(state => state.live === null ? state : { ...state, live: { ...state.live, ...event.end, data: event.data } })
    // A store with another prefix, whose key is that of this session, may use it only if there is none.
    case 'intrude': return now.filter(({ live }) => event.refused ? live !== null || event.mayLeave : live === null)
  }
}

/** Returns the possible states after an event, whatever its result. */
function after (states, event, before) {
  if (event.error === undefined) return carriedOut(states, event, before)
  if (event.what === 'read' || !event.error.inDoubt) return states
  return [...states, ...carriedOut(states, event, before)]
}

/** Returns whether a write of changed data may, or must, find that the session is gone. */
function gone (states, event) {
  const base = event.what === 'write' && event.error === undefined && !event.touch ? known(event.base) : null
  if (base === null) return { may: 0, must: 0 }
  // If a write found no session, its changes are still changes when they are written again, and no longer changes when they are
  // reverted.
  const { data } = parts(event.now)
  const changed = [base.data, ...base.earlier, ...base.doubts.map(({ data }) => data)].map(known => !isDeepStrictEqual(data, known))
  const misses = ({ live, of }) => live === null || of[base.root] !== live.born
  const mustMiss = ({ live, of }) => live === null || !mayBe(event, of[base.root], live.born)
  const now = atTime(states, event)
  // A write that is retried may have ended the session itself.
  const may = now.some(misses) || event.end.lo <= event.t1
  return {
    // Any set encrypts what others wrote as plain text, which is a change, too.
    may: Number((changed.includes(true) || event.encrypts) && may),
    must: Number(!changed.includes(false) && now.every(mustMiss))
  }
}

/** Checks all events of a session id, in the order of the calls. Returns the number of possible states. */
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
    // A read may overtake operations that were in flight when it was called.
    const first = event.overtakes ? log.findIndex(other => other.t1 >= event.t0) : n
    const next = unique(after(states, event, before.slice(first, n).flatMap(states => atTime(states, event))))
    if (next.length === 0) {
      throw new Error(`event ${n} (${event.what}): expected ${JSON.stringify(states)}, found ${JSON.stringify(event.seen ?? event.refused ?? null)}, after ${describeLog(log.slice(0, n))}`)
    }
    if (next.length > MOST_STATES) return next.length
    states = next
  }
  if (goneEvents < must || goneEvents > may) throw new Error(`${goneEvents} 'gone' events, expected ${must} to ${may}: ${describeLog(log)}`)
  return states.length
}

/** Returns events as text, one per line: times in milliseconds since the first, and a base as the number of its event. */
function describeLog (log) {
  const [{ t0: start } = {}] = log
  return log.map(({ n, what, base, t0, t1, end, called, ...event }) => {
    const more = { ...event, ...(base === undefined ? {} : { base: base && base.event.n }), ...(end && { end: [end.lo - start, end.hi - start] }) }
    return `\n  ${n} ${what} ${t0 - start} to ${t1 - start}: ${JSON.stringify(more)}`
  }).join('')
}

module.exports = { check, copy, parts }
