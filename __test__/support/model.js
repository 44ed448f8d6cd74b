'use strict'

// The model of one session: what may be stored under its id after all operations on it. It is small enough to read, and
// independent of the store's implementation. The rules:
//
// - An acknowledged change is stored until another writer changes the key, or the session is removed.
// - A change that failed is not stored. A change in doubt is stored or not.
// - A session that was removed or has expired is not restored. `gone` is emitted for such sessions only.
// - After a renewal the old id leads to the session until the end of the grace period, then to nothing. A logout through either
//   id ends both.
// - The signal of a watch aborts if and only if its session has ended, with the reason.
//
// A state is `{ records, of, ended }`. `records` has what is stored under each id of a session: `{ live }`, or an alias
// `{ to, lo, hi }` that leads to another id until a time within lo..hi. `live` is null, or `{ data, cookie, lo, hi, born }`: the
// expiry in milliseconds is within lo..hi, and `born` is the event that created the session, which distinguishes it from a later
// one under the same id. `of` has the sessions of the application's objects and of watches, by the event that they come from.
// `ended` has how sessions have ended, by `born`; it is null if nothing is watched. If several outcomes are possible, there are several states.
//
// Most functions work on what one operation sees through its id: `{ live, of }`.

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

/** How much earlier than its end a missing session counts as expired, in milliseconds (docs/watching.md). */
const EARLY = 2_000

/** Returns a state with another record under an id. Notes how a session ended that the record held. */
function withRecord (state, id, record, how) {
  const before = state.records[id]?.live ?? null
  const { born = null } = record.live ?? {}
  const records = { ...state.records, [id]: record }
  if (state.ended === null || how === 'renewed' || before === null || before.born === born) return { ...state, records }
  return { ...state, records, ended: { ...state.ended, [before.born]: { how, lo: before.lo } } }
}

/** Returns the possible states from `t0` to `t1`: sessions are live or have expired. */
function atTime (states, { t0, t1 }) {
  const expire = (state, id) => {
    const live = state.records[id].live ?? null
    if (live === null) return [state]
    return [...(live.hi > t0 ? [state] : []), ...(live.lo <= t1 ? [withRecord(state, id, { live: null }, 'expired')] : [])]
  }
  return states.flatMap(state => Object.keys(state.records).reduce((states, id) => states.flatMap(state => expire(state, id)), [state]))
}

/**
 * Returns what an operation may see through an id: `{ live, of, state, at, via }`. `at` is the id whose record holds the
 * session, `via` has the aliases that lead there.
 */
function views (state, { id, t0, t1, base }) {
  const view = (at, via) => ({ live: state.records[at]?.live ?? null, of: state.of, state, at, via })
  const found = []
  const walk = (at, via) => {
    const record = state.records[at]
    if (record?.to === undefined) return found.push(view(at, via))
    if (record.hi > t0) walk(record.to, [...via, at])
    if (record.lo <= t1) found.push(view(at, via))
  }
  walk(id, [])
  // An object that was loaded through an alias knows the record, and needs the alias no more.
  const { root } = base ? known(base) ?? {} : {}
  const born = state.of[root]
  const isOwn = other => born !== undefined && state.records[other].live?.born === born
  const direct = found.some(({ at }) => state.records[at] && isOwn(at)) ? undefined : Object.keys(state.records).find(isOwn)
  return direct === undefined ? found : [...found, view(direct, [])]
}

/** Returns the state after an operation has changed what it saw. */
function changed ({ state, at, via }, { live, of }, id) {
  // What leads to no session is replaced by a new one.
  const place = state.records[at]?.live || live === null ? at : id ?? at
  const before = state.records[place]
  const next = { ...state, of }
  if (live === null && (before === undefined || before.to !== undefined || before.live === null)) return withEndedAgain(next, via)
  return withRecord(next, place, { live }, 'gone')
}

/** An operation that finds its session expired removes what is left, so a watch may find either reason. */
function withEndedAgain (state) {
  const entries = Object.entries(state.ended ?? {})
  if (!entries.some(([, { how }]) => how === 'expired')) return state
  return { ...state, ended: Object.fromEntries(entries.map(([born, { how, lo }]) => [born, { how: how === 'expired' ? 'either' : how, lo }])) }
}

/** Applies a function that takes and returns what an operation sees. */
function through (states, event, apply) {
  return states.flatMap(state => views(state, event).flatMap(view => {
    return apply({ live: view.live, of: view.of }, view).map(after => changed(view, after, event.id))
  }))
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
  const earlier = before.flatMap(state => views(state, event)).filter(view => fits(view, event))
  if (seen === null) {
    if (earlier.length > 0) return now
    return now.filter(state => views(state, event).some(view => fits(view, event)))
  }
  const narrowed = through(now, event, ({ live, of }) => {
    if (!fits({ live }, event)) return []
    const { expires } = parts(seen)
    const end = expires === null || live.loose ? {} : { lo: new Date(expires).getTime(), hi: new Date(expires).getTime() }
    return [{ live: { ...live, ...end }, of: { ...of, [n]: live.born } }]
  })
  return [...narrowed, ...earlier.flatMap(({ live: { born } }) => now.map(state => ({ ...state, of: { ...state.of, [n]: born } })))]
}

/** Returns the states after a removal. */
function destroyed (now, event) {
  return now.flatMap(state => views(state, event).flatMap(view => {
    const without = changed(view, { live: null, of: view.of })
    // The aliases are removed after the session. One that stays leads nowhere.
    return view.via.length === 0 ? [without] : [without, view.via.reduce((state, id) => withRecord(state, id, { live: null }), without)]
  }))
}

/** Returns the states after a renewal. */
function renewed (now, event) {
  const { id, to, done, t0, t1, grace } = event
  const base = known(event.base)
  // The request does not know a session that exists.
  if (base === null) return done === true ? [] : now
  return now.flatMap(state => {
    const record = state.records[id]
    const live = record?.live ?? null
    const born = state.of[base.root]
    if (done === false) return record?.to !== undefined || live === null || live.born !== born ? [state] : []
    if (live === null || !mayBe(event, born, live.born)) return []
    const view = { live, of: { ...state.of, [base.root]: live.born } }
    // It always merges.
    const written = write(view, { ...event, overwrite: false, touch: false, throttled: false, base: { ...event.base, written: false } })
    // A session without a cookie is given the request's.
    const { cookie } = parts(event.now)
    const outcomes = written.flatMap(after => after.live.cookie === null ? [after, { ...after, live: { ...after.live, cookie } }] : [after])
    return outcomes.map(({ live, of }) => {
      const moved = withRecord({ ...state, of }, to, { live }, 'renewed')
      return withRecord(moved, id, { to, lo: t0 + grace, hi: t1 + grace }, 'renewed')
    })
  })
}

/** Returns the states in which the signal of a watch may have been aborted. `log`: the events until then. */
function afterAbort (states, { n, id, aborted: { reason, at, wasStopped } }, log) {
  if (wasStopped) return []
  // The process that watches may not know yet that another one has moved the end.
  const wasBrief = log.some(({ end }) => end?.lo - EARLY <= at)
  return atTime(states, { t0: at, t1: at + 1 }).filter(state => {
    const born = state.of[n]
    // There was no session at first. It may have expired shortly before, or may be stored until the first check.
    if (born === null) {
      const isBrief = Object.values(state.records).some(({ live }) => live?.lo - EARLY <= at)
      return reason === 'gone' || isBrief || Object.values(state.ended).some(({ how }) => how !== 'gone')
    }
    // An old id may lead nowhere by the first check.
    if (state.records[id]?.lo <= at) return true
    if (Object.values(state.records).some(({ live }) => live?.born === born)) return false
    const { how, lo } = state.ended[born]
    const isAtEnd = wasBrief || lo - EARLY <= at
    return reason === 'gone' ? how !== 'expired' : how !== 'gone' || isAtEnd
  })
}

/** Returns true if a session has ended, and has no successor under its ids. */
function hasEnded (states, t) {
  return atTime(states, { t0: t, t1: t }).every(({ records }) => Object.values(records).every(({ live = null }) => live === null))
}

/** Returns the possible states after an event that was applied. */
function carriedOut (states, event, before) {
  const now = atTime(states, event)
  switch (event.what) {
    case 'destroy': return destroyed(now, event)
    // The limit of a user's sessions removes the session's own record.
    case 'evict': return now.map(state => withRecord(state, event.id, { live: null }, 'gone'))
    case 'write': return through(now, event, view => write(view, event))
    case 'renew': return renewed(now, event)
    case 'read': return read(now, event, before)
    case 'watch': return now.flatMap(state => views(state, event).map(({ live }) => ({ ...state, of: { ...state.of, [event.n]: live?.born ?? null } })))
    case 'stop': return now
    // The recipe and clients of other languages replace the data, and keep the other bins.
    case 'save': return through(now, event, ({ live, of }) => {
      const { data, end, n } = event
      return [{ live: { cookie: null, born: n, ...live, ...end, data, loose: undefined }, of }]
    })
    case 'put': return through(now, event, ({ live, of }) => [{ live: live && { ...live, ...event.end, data: event.data }, of }])
    // A store with another prefix, whose key is that of this session, may use it only if there is none.
    case 'intrude': return now.filter(({ records }) => {
      const { live = null, hi } = records[event.id] ?? {}
      return event.refused ? live !== null || event.mayLeave : live === null && !(hi > event.t1)
    })
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
  const now = atTime(states, event).flatMap(state => views(state, event))
  // A write that is retried may have ended the session itself.
  const may = now.some(misses) || event.end.lo <= event.t1
  return {
    // Any set encrypts what others wrote as plain text, which is a change, too.
    may: Number((changed.includes(true) || event.encrypts) && may),
    must: Number(!changed.includes(false) && now.every(mustMiss))
  }
}

/**
 * Checks all events of a session, in the order of the calls. Returns the watches that have to be aborted soon: their session has
 * ended.
 */
function check (log, goneEvents) {
  // Only watches report how a session has ended.
  let states = [{ records: {}, of: {}, ended: log.some(({ what }) => what === 'watch') ? {} : null }]
  let [may, must] = [0, 0]
  const aborts = log.filter(({ aborted }) => aborted !== undefined).sort((a, b) => a.aborted.at - b.aborted.at)
  const before = []
  const abortUntil = (time, n) => {
    while (aborts[0]?.aborted.at < time) {
      const watch = aborts.shift()
      const next = unique(afterAbort(states, watch, log.slice(0, n)))
      // A write that was in flight may have been carried out after the session had reached its end.
      const first = Math.max(watch.n + 1, log.findIndex(({ t1 }) => t1 >= watch.aborted.at))
      const earlier = before.slice(first, n).flatMap(states => afterAbort(states, watch, log.slice(0, n)))
      if (earlier.length > 0) continue
      if (next.length === 0) {
        const { at, reason } = watch.aborted
        throw new Error(`the watch of event ${watch.n} was aborted with '${reason}' at ${at - log[0].t0}, expected ${JSON.stringify(states)}, after ${describeLog(log.slice(0, n))}`)
      }
      states = next
    }
  }
  for (const [n, event] of log.entries()) {
    event.n = n
    Object.defineProperty(event, 'log', { value: log })
  }
  for (const [n, event] of log.entries()) {
    abortUntil(event.t0, n)
    before.push(states)
    const missing = gone(states, event)
    may += missing.may
    must += missing.must
    // A read may overtake operations that were in flight when it was called.
    const first = event.overtakes ? log.findIndex(other => other.t1 >= event.t0) : n
    const next = unique(after(states, event, before.slice(first, n).flatMap(states => atTime(states, event))))
    if (next.length === 0) {
      throw new Error(`event ${n} (${event.what}): expected ${JSON.stringify(states)}, found ${JSON.stringify(event.seen ?? event.refused ?? null)}, after ${describeLog(log.slice(0, n + 1))}`)
    }
    if (next.length > MOST_STATES) return []
    states = next
  }
  abortUntil(Infinity, log.length)
  if (goneEvents < must || goneEvents > may) throw new Error(`${goneEvents} 'gone' events, expected ${must} to ${may}: ${describeLog(log)}`)
  const isRunning = ({ what, aborted, stopped }) => what === 'watch' && aborted === undefined && stopped === undefined
  return log.filter(event => isRunning(event) && hasEnded(states, log.at(-1).t1))
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
