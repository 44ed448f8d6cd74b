'use strict'

// Random histories of express requests on a few sessions, run on real stores, against a model of
// the contract small enough to be read.
//
// The requests of a history take turns, step by step; some steps are not waited for, some requests
// are served by another process. In between an administrator's program, which knows of no baselines, writes whole
// sessions. MODEL_RUNS=20000 runs that many histories, MODEL_SEED=1 the same again.

const { setTimeout: pass } = require('node:timers/promises')
const crypto = require('node:crypto')
const { isDeepStrictEqual } = require('node:util')
const fc = require('fast-check')
const session = require('express-session')
const { freshSet, hasNoTtlNamespace, openStore } = require('./support/server')

const RUNS = Number(process.env.MODEL_RUNS ?? 2_000)
/** Histories on their way at the same time: most of the time each waits for the server. */
const LANES = 8
/** Milliseconds: a life that ends within a history. */
const BRIEF = 60
/** Seconds: the life of a session whose cookie has no maxAge. */
const TTL = 3_600

const copy = value => JSON.parse(JSON.stringify(value))

/** A session's parts as they are stored. */
function parts (session) {
  const { cookie: { expires, ...cookie }, ...data } = copy(session)
  return { data, cookie, expires }
}

// --- The model -----------------------------------------------------------------------------------
//
// What is stored of one session id: null, or `{ data, cookie, lo, hi }` with its end in milliseconds,
// known up to lo..hi. Where a step runs at just that time, both is possible: a set of states.

/** Whatever may be true of the session from `t0` to `t1`: that it lives, or that it has ended. */
function atTime (states, { t0, t1 }) {
  return states.flatMap(state => {
    if (state === null) return [null]
    return [...(state.hi > t0 ? [state] : []), ...(state.lo <= t1 ? [null] : [])]
  })
}

/** What is there after a write that knew `base` (null: a session never stored) and has `now`. */
function write (state, { base, now, touch, overwrite, throttled, end, t0 }) {
  if (base === null) return [touch ? state : { ...parts(now), ...end }]
  if (state === null) return [null]
  const { data, cookie } = parts(now)
  const changed = Object.keys(data).filter(key => !(key in base.data && isDeepStrictEqual(data[key], base.data[key])))
  const removed = Object.keys(base.data).filter(key => !(key in data))
  const quiet = touch || changed.length + removed.length === 0
  const sameCookie = isDeepStrictEqual(cookie, base.cookie)
  const merged = quiet ? state.data : overwrite ? data : merge(state.data, data, changed, removed)
  const written = { data: merged, cookie: sameCookie ? state.cookie : cookie, ...end }
  // Next to nothing to say right after a write: it may be left out.
  const slack = 2 * Math.min(1_000, (end.hi - t0) / 20) + 2
  const may = quiet && sameCookie && base.written && Math.abs(end.lo - base.end.lo) <= slack
  return may || (touch && sameCookie && throttled) ? [state, written] : [written]
}

/** When a session that is written between `t0` and `t1` ends. */
function endOf ({ cookie: { expires } }, t0, t1) {
  const end = expires && new Date(expires).getTime()
  return expires
    ? { lo: end, hi: end }
    : { lo: t0 + TTL * 1_000, hi: t1 + TTL * 1_000 }
}

function merge (theirs, ours, changed, removed) {
  const merged = { ...theirs }
  for (const key of removed) delete merged[key]
  for (const key of changed) merged[key] = ours[key]
  return merged
}

/** The states that may be after an event, from those that may be before. */
function after (states, event) {
  const now = atTime(states, event)
  switch (event.what) {
    case 'destroy': return [null]
    case 'write': return now.flatMap(state => write(state, event))
    case 'read': return now.flatMap(state => {
      if (state === null || event.seen === null) return state === null && event.seen === null ? [null] : []
      const { data, cookie, expires } = parts(event.seen)
      const ends = expires === null ? state.hi : new Date(expires).getTime()
      const same = isDeepStrictEqual([data, cookie], [state.data, state.cookie]) && state.lo <= ends && ends <= state.hi &&
        (expires === null) === (cookie.originalMaxAge === null)
      return same ? [{ ...state, ...(expires === null ? {} : { lo: ends, hi: ends }) }] : []
    })
  }
}

/** Whether a write of changed data may, or must, meet a session that is gone. */
function gone (states, event) {
  const none = { may: 0, must: 0 }
  if (event.what !== 'write' || event.touch || event.base === null) return none
  // What was changed by a write that met nothing is still a change when it is written again, and no
  // change any more when it is taken back.
  const { data } = parts(event.now)
  const changed = [event.base.data, ...event.base.earlier].map(known => !isDeepStrictEqual(data, known))
  const now = atTime(states, event)
  return {
    may: Number(changed.includes(true) && now.includes(null)),
    must: Number(!changed.includes(false) && now.every(state => state === null))
  }
}

/** Checks all that happened to a session id, in the order it was asked for. */
function check (log, goneEvents) {
  let states = [null]
  let [may, must] = [0, 0]
  for (const [n, event] of log.entries()) {
    const told = gone(states, event)
    may += told.may
    must += told.must
    const next = after(states, event)
    if (next.length === 0) {
      throw new Error(`event ${n} (${event.what}): expected ${JSON.stringify(states)}, found ${JSON.stringify(event.seen)}, after ${JSON.stringify(log.slice(0, n))}`)
    }
    states = next
  }
  if (goneEvents < must || goneEvents > may) throw new Error(`${goneEvents} 'gone' events, expected ${must} to ${may}: ${JSON.stringify(log)}`)
}

// --- The requests --------------------------------------------------------------------------------

let lastId = 0

/** A history as it happens: visitors with a cookie each, requests, and what was seen of each session id. */
class History {
  /** `stores`: of two servers, and of the administrator. */
  constructor (stores, { conflict, touchAfter }) {
    this.stores = stores
    this.overwrite = conflict === 'overwrite'
    this.throttled = touchAfter !== undefined
    this.visitors = []
    this.logs = new Map()
    this.pending = new Map()
  }

  newId () {
    const sid = `s${++lastId}`
    this.logs.set(sid, [])
    return sid
  }

  /**
   * Asks a store for something by `call`, which returns what to note and the answer. Operations on
   * a session keep their order within a process; where another process asks, what is under way
   * comes first.
   */
  async ask ({ sid, store }, rush, call) {
    if (this.pending.has(sid) && this.pending.get(sid).store !== store) await this.settled(sid)
    const t0 = Date.now()
    const [noted, answer] = call(t0)
    const event = { t0, ...noted }
    this.logs.get(sid).push(event)
    const done = answer.then(seen => {
      event.seen = seen ? copy(seen) : null
      event.t1 = Date.now()
      return seen
    })
    if (!rush) return done
    if (!this.pending.has(sid)) this.pending.set(sid, { store, answers: [] })
    this.pending.get(sid).answers.push(done)
    done.catch(() => {})
  }

  async settled (sid) {
    const { answers } = this.pending.get(sid) ?? { answers: [] }
    this.pending.delete(sid)
    await Promise.all(answers)
  }

  /** A new session, as store.generate makes it. */
  generate (request, life) {
    request.sid = this.newId()
    const req = { sessionID: request.sid, sessionStore: request.store }
    request.session = new session.Session(req)
    request.session.cookie = new session.Cookie(life === null ? {} : { maxAge: life })
    Object.assign(request, { base: null, dead: false, original: undefined })
  }

  /** What express-session does with a cookie: whether there is such a session. */
  async load (request) {
    const { sid, store } = request
    const found = await this.ask(request, false, () => [{ what: 'read' }, store.get(sid)])
    if (found === null) return false
    const { data, cookie } = parts(found)
    request.base = { data, cookie, written: false, earlier: [] }
    request.session = store.createSession({ sessionID: sid, sessionStore: store }, found)
    request.original = JSON.stringify(data)
    return true
  }

  async write (request, rush, touch) {
    const { sid, store, session, base } = request
    // A session that its own request destroyed before it was ever stored is nobody's.
    if (request.dead && base === null) return
    await this.ask(request, rush, t0 => {
      const now = copy(session)
      const answer = touch ? store.touch(sid, session) : store.set(sid, session)
      const called = Date.now()
      const end = endOf(session, t0, called)
      // A session that ends while it is being written may be taken for one that has ended, or not.
      fc.pre(end.lo > called || end.lo <= t0)
      if (end.lo <= t0) return [{ what: 'destroy' }, answer]
      const { data, cookie } = parts(now)
      const earlier = base === null ? [] : [base.data, ...base.earlier]
      request.base = { data: touch ? base.data : data, cookie, written: true, earlier, end }
      return [{ what: 'write', touch, overwrite: this.overwrite, throttled: this.throttled, base, now, end }, answer]
    })
  }

  /** The administrator's program reads a session, and writes a copy of it with a change: whole, and without a baseline. */
  async administer (sid, notice) {
    const store = this.stores.at(-1)
    const found = await this.ask({ sid, store }, false, () => [{ what: 'read' }, store.get(sid)])
    if (found === null) return
    await this.ask({ sid, store }, false, t0 => {
      const now = copy({ ...found, notice })
      const answer = store.set(sid, { ...found, notice })
      const called = Date.now()
      const end = endOf(now, t0, called)
      fc.pre(end.lo > called || end.lo <= t0)
      if (end.lo <= t0) return [{ what: 'destroy' }, answer]
      return [{ what: 'write', touch: false, base: null, now, end }, answer]
    })
  }

  async destroy (request, rush) {
    request.dead = true
    await this.ask(request, rush, () => [{ what: 'destroy' }, request.store.destroy(request.sid)])
  }

  /** A request comes in: what it is about from now on. */
  async begin ({ visitor, server, life }) {
    const request = { visitor, store: this.stores[server], sid: this.visitors[visitor] }
    if (request.sid === undefined || !await this.load(request)) this.generate(request, life)
    return request
  }

  /** One step of a request; what makes no sense just then is left out, so that histories shrink well. */
  async step (request, { what, key, value, life, rush }) {
    const { session } = request
    switch (what) {
      case 'pass': return pass(life)
      case 'change': session[key] = copy(value); break
      case 'delete': delete session[key]; break
      case 'nest': {
        const inner = session[key]
        if (Array.isArray(inner)) inner.push(copy(value))
        else if (typeof inner === 'object' && inner !== null) inner.x = copy(value)
        break
      }
      case 'live': session.cookie.maxAge = life; break
      case 'save': return this.write(request, rush, false)
      case 'administer': return this.administer(request.sid, value)
      case 'destroy': return this.destroy(request, rush)
      case 'reload': {
        if (request.base !== null) await this.load(request)
        break
      }
      case 'regenerate':
        await this.destroy(request, rush)
        this.generate(request, life)
        break
    }
  }

  /** What express-session does at the end of a response. */
  async end (request, rush) {
    if (request.dead) return
    request.session.touch()
    const { data } = parts(request.session)
    const fresh = request.original === undefined
    if (fresh && Object.keys(data).length === 0) return
    this.visitors[request.visitor] = request.sid
    return this.write(request, rush, !fresh && JSON.stringify(data) === request.original)
  }

  /** All that happened, with a last look at every session. */
  async finish () {
    for (const sid of this.logs.keys()) {
      await this.settled(sid)
      await this.load({ sid, store: this.stores[0] })
    }
  }
}

// --- Random histories ----------------------------------------------------------------------------

const key = fc.constantFrom('a', 'b', 'list', 'map', '', '\ud800')
const value = fc.oneof(
  { weight: 4, arbitrary: fc.nat(3) },
  { weight: 1, arbitrary: fc.constantFrom('', 'text', null, true, -1.5, [], {}, [0], { x: 0 }, { y: [{ z: 1 }] }) }
)
const rush = fc.boolean()
const life = fc.constantFrom(60_000, 60_000, 600_000, null, BRIEF)
const visitor = fc.constantFrom(0, 0, 1)
const server = fc.nat(1)

const step = fc.oneof(...[
  [6, 'change', { key, value }],
  [2, 'delete', { key }],
  [1, 'nest', { key, value }],
  [1, 'live', { life }],
  [6, 'save', { rush }],
  [1, 'destroy', { rush }],
  [1, 'reload', {}],
  [1, 'regenerate', { rush, life }],
  [2, 'administer', { value: fc.nat(3) }],
  [1, 'pass', { life: fc.constantFrom(5, BRIEF / 2, BRIEF + 5) }]
].map(([weight, what, rest]) => ({ weight, arbitrary: fc.record({ what: fc.constant(what), ...rest }) })))

const histories = fc.record({
  // How long the sessions live that the two visitors bring along.
  lives: fc.tuple(life, life),
  requests: fc.array(fc.record({ visitor, server, life, steps: fc.array(step, { maxLength: 5, size: 'max' }), rush }), { maxLength: 4, size: 'max' }),
  // Which of the requests under way goes on, time after time; without a word the first.
  turns: fc.array(fc.nat(3), { maxLength: 24, size: 'max' })
})

/** Two visitors with a session each, and then what the history says. */
async function run ({ lives, requests, turns }, stores, options, goneOf) {
  const history = new History(stores, options)
  for (const [visitor, life] of lives.entries()) {
    const first = await history.begin({ visitor, server: 0, life })
    Object.assign(first.session, { a: 0, list: [1], map: { x: 1 } })
    await history.end(first, false)
  }
  let underWay = requests.map(request => alone(history, request))
  for (let turn = 0; underWay.length > 0; turn++) {
    const next = underWay[(turns[turn] ?? 0) % underWay.length]
    const { done } = await next.next()
    if (done) underWay = underWay.filter(one => one !== next)
  }
  await history.finish()
  for (const [sid, log] of history.logs) check(log, goneOf(sid))
}

/** One request, a step at a time. */
async function * alone (history, { steps, rush, ...rest }) {
  const request = await history.begin(rest)
  yield
  for (const step of steps) {
    await history.step(request, step)
    yield
  }
  await history.end(request, rush)
}

/** @param {any} session */
const ownerOf = session => JSON.stringify(session.a)
const SECRET = 'a secret of more than 16 bytes'
const encryptionKeys = [crypto.randomBytes(32).toString('base64')]

/** The key of a session, as docs/options.md and docs/security.md have it. */
function keyOf ({ prefix = '', hashIds }, sid) {
  if (hashIds === undefined) return prefix + sid
  const hmac = (key, ...parts) => parts.reduce((hash, part) => hash.update(part), crypto.createHmac('sha256', key)).digest()
  const length = Buffer.alloc(8)
  length.writeBigUInt64BE(BigInt(Buffer.byteLength(prefix)))
  return hmac(hmac(hashIds, 'aerospike-session 2 ids'), length, prefix, sid).toString('hex')
}

// Each option with each format at least once, and most of them with each other.
describe.each([
  [0.3, { format: 'map' }],
  [0.3, { format: 'json' }],
  [0.2, { encryptionKeys }],
  [0.1, { format: 'map', conflict: 'overwrite' }],
  [0.1, { format: 'json', conflict: 'overwrite' }],
  [0.1, { format: 'map', absoluteTtl: 86_400, tombstones: true, prefix: 'shop:' }],
  [0.1, { format: 'json', absoluteTtl: 86_400, storeIds: true, touchAfter: 120 }],
  [0.1, { encryptionKeys, absoluteTtl: 86_400, hashIds: SECRET, conflict: 'overwrite' }],
  [0.1, { format: 'map', hashIds: SECRET, touchAfter: 120, user: ownerOf, conflict: 'overwrite' }],
  [0.1, { format: 'json', tombstones: true, hashIds: SECRET, prefix: 'é:', user: ownerOf }],
  [0.1, { encryptionKeys, tombstones: true, storeIds: true, prefix: 'shop:', touchAfter: 120 }],
  [0.1, { format: 'map', storeIds: true, user: ownerOf, absoluteTtl: 86_400 }],
  [0.1, { namespace: 'nottl', format: 'map', tombstones: true, absoluteTtl: 86_400 }],
  [0.1, { namespace: 'nottl', format: 'json', prefix: 'shop:', touchAfter: 120 }],
  [0.1, { namespace: 'nottl', encryptionKeys, hashIds: SECRET }]
])('random histories, %d of all,', (share, options) => {
  const named = Object.entries(options).map(([name, value]) => ['encryptionKeys', 'hashIds', 'user'].includes(name) ? name : `${name} ${value}`)

  test(`go as the model says with ${named.join(', ')}`, async () => {
    if (options.namespace !== undefined && !await hasNoTtlNamespace()) return console.warn('not run: the cluster has no namespace nottl')
    const set = freshSet()
    const stores = Array.from({ length: 3 }, () => openStore({ ...options, set, ttl: TTL }))
    const gone = new Map()
    for (const store of stores) {
      store.on('gone', ({ digest }) => gone.set(digest, (gone.get(digest) ?? 0) + 1))
      store.on('warning', () => {})
    }
    const goneOf = sid => gone.get(crypto.createHash('ripemd160').update(`${set}\u0003${keyOf(options, sid)}`).digest('hex')) ?? 0
    const property = fc.asyncProperty(histories, history => run(history, stores, options, goneOf))
    const seed = Number(process.env.MODEL_SEED ?? Date.now() % 1_000_000_000)
    const lanes = Array.from({ length: LANES }, (_, n) => fc.assert(property, {
      numRuns: Math.ceil(RUNS * share / LANES), seed: seed + n, interruptAfterTimeLimit: 600_000
    }))
    const failed = (await Promise.allSettled(lanes)).find(({ status }) => status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }, 660_000)
})
