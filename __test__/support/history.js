'use strict'

// Runs the histories of the model-based test: Express requests of two visitors in turns, and other writers in between.
//
// A session that is renewed has several ids. They share one list of events, because they lead to one session.

const { setTimeout: pass } = require('node:timers/promises')
const fc = require('fast-check')
const session = require('express-session')
const { renew } = require('../..')
const { check, copy, parts } = require('./model')
const { change, failed, keyOf, outcome } = require('./other-writers')
const { ERRORS, MODEL_FAULTS, ModelFaults } = require('./model-faults')

/** Milliseconds: a lifetime that ends within a history. */
const BRIEF = 60
/** Seconds: the lifetime of a session whose cookie has no maxAge. */
const TTL = 3_600
/** Seconds: the lifetime of what the official client writes. */
const LONG = 7_200
/** Milliseconds: a watch reports the end of its session much earlier, except on a machine that stands still. */
const WATCH_PATIENCE = 20_000
/** Seconds: how long an old id leads to its session. The short time ends within a history. */
const GRACES = [60, 60, BRIEF / 1_000]

/** Returns when a session that is written between `t0` and `t1` expires. */
function endOf (expires, t0, t1) {
  const end = expires && new Date(expires).getTime()
  return expires
    ? { lo: end, hi: end }
    : { lo: t0 + TTL * 1_000, hi: t1 + TTL * 1_000 }
}

let lastId = 0
let lastHistory = 0

/** A running history: visitors with a cookie each, requests, and the events of each session id. */
class History {
  /**
   * `cast`: the `stores` of two servers and of the administrator; `recipe`, `official`, `otherProcess`, `intruder`: the other
   * writers, if any; `server`: a dev server for faults; `evicted`: returns the digests of the sessions that the limit has removed.
   */
  constructor (cast, options, set) {
    this.cast = cast
    this.options = options
    this.set = set
    this.visitors = []
    /** The events of each session, by each of its ids. */
    this.logs = new Map()
    this.pending = new Map()
    this.limit = options.maxSessionsPerUser
    this.number = ++lastHistory
    this.faults = cast.server && new ModelFaults(cast.server, set)
    this.isTroubled = false
  }

  newId (log = []) {
    const sid = `s${process.pid}-${++lastId}`
    this.logs.set(sid, log)
    return sid
  }

  /** Returns the sessions with all their ids, by the list of their events. */
  sessions () {
    const sessions = new Map()
    for (const [sid, log] of this.logs) sessions.set(log, [...sessions.get(log) ?? [], sid])
    return sessions
  }

  /** Returns true if this id of a session is an old one. */
  isRenewed (sid) {
    return this.logs.get(sid).some(({ what, id }) => what === 'renew' && id === sid)
  }

  /** Adds an event of a session. A failure without a fault fails the history. */
  note (sid, event) {
    event.id = sid
    if (event.error !== undefined) this.#checkFailure(event)
    this.logs.get(sid).push(event)
  }

  #checkFailure ({ what, error }) {
    if (this.faults === undefined || !ERRORS.includes(error.code)) throw new Error(`${what} failed: ${error.code}: ${error.message}`)
  }

  /**
   * Calls a store. `call` returns what to note and the answer. Operations on a session keep their order within a process. If
   * another process calls, operations in flight come first. Returns the event and the answer.
   */
  async ask ({ sid, store }, rush, call) {
    const log = this.logs.get(sid)
    const before = this.pending.get(log)
    if (before !== undefined && (before.store !== store || before.sid !== sid)) await this.settled(sid)
    const t0 = Date.now()
    const [event, answer] = call(t0)
    Object.assign(event, { id: sid, t0 })
    if (this.faults !== undefined) event.overtakes = true
    log.push(event)
    const settle = (error, value) => {
      event.t1 = Date.now()
      if (error) {
        event.error = failed(error)
        this.#checkFailure(event)
      } else if (event.what === 'read') event.seen = value ? copy(value) : null
      else if (event.what === 'renew') event.done = value
      return [event, value]
    }
    const done = answer.then(value => settle(null, value), error => settle(error))
    if (!rush || this.limit !== undefined) return done
    if (!this.pending.has(log)) this.pending.set(log, { sid, store, answers: [] })
    this.pending.get(log).answers.push(done)
    done.catch(() => {})
    return [event]
  }

  async settled (sid) {
    const log = this.logs.get(sid)
    const { answers } = this.pending.get(log) ?? { answers: [] }
    this.pending.delete(log)
    await Promise.all(answers)
  }

  /** Creates a new session as store.generate does. */
  generate (request, life) {
    request.sid = this.newId()
    const req = { sessionID: request.sid, sessionStore: request.store }
    request.session = new session.Session(req)
    request.session.cookie = new session.Cookie(life === null ? {} : { maxAge: life })
    // Other writers find it in a list by this key.
    request.session.who = request.sid
    Object.assign(request, { base: null, dead: false, original: undefined })
  }

  /** Applies express-session's rules for a cookie. Returns whether the session exists; `undefined` if that is unknown. */
  async load (request) {
    const { sid, store } = request
    const [event, found] = await this.ask(request, false, () => [{ what: 'read' }, store.get(sid)])
    if (event.error !== undefined) return undefined
    if (found === null) return false
    const { data, cookie } = parts(found)
    request.base = { event, data, cookie, prior: null, written: false }
    request.session = store.createSession({ sessionID: sid, sessionStore: store }, found)
    request.original = JSON.stringify(data)
    return true
  }

  async write (request, rush, touch) {
    const { sid, store, session, base } = request
    // A session that its own request destroyed before it was stored does not exist.
    if (request.dead && base === null) return
    await this.ask(request, rush, t0 => {
      const now = copy(session)
      const answer = touch ? store.touch(sid, session) : store.set(sid, session)
      const called = Date.now()
      const end = endOf(now.cookie.expires, t0, called)
      // A session that expires while it is written may count as expired or not.
      const isClear = end.lo > called || end.lo <= t0
      if (!isClear) answer.catch(() => {})
      fc.pre(isClear)
      if (end.lo <= t0) return [{ what: 'destroy' }, answer]
      const { data, cookie } = parts(now)
      const event = this.#write({ touch, base, now, end })
      request.base = { event, data: touch ? base.data : data, cookie, prior: base, written: true, end }
      return [event, answer]
    })
  }

  #write (event) {
    const { conflict, encryptionKeys, touchAfter, touchOnRead } = this.options
    const throttled = touchAfter !== undefined || touchOnRead !== undefined
    return { what: 'write', overwrite: conflict === 'overwrite', throttled, encrypts: encryptionKeys !== undefined, ...event }
  }

  /** Another writer reads a session and writes it with a change. */
  async change (sid, details) {
    const { otherProcess, stores } = this.cast
    await this.settled(sid)
    const log = this.logs.get(sid)
    const who = this.sessions().get(log)[0]
    const all = { sid, who, key: 'notice', storesIds: this.options.storeIds, ...details }
    // A list shows sessions without their ids. There may be one under the old id, one under the new one, and a copy.
    if (log.some(({ what }) => what === 'renew')) all.how = { list: 'edit', listCopy: 'copy' }[all.how] ?? all.how
    const [found, written] = await (details.isOtherProcess ? otherProcess.change(all) : change(stores.at(-1), all))
    this.note(sid, found)
    if (written === undefined) return
    const { isCopy, expires, called, ...event } = written
    const end = endOf(expires, event.t0, called)
    fc.pre(end.lo > called || end.lo <= event.t0)
    if (end.lo <= event.t0) return this.note(sid, { ...event, what: 'destroy' })
    const base = isCopy ? null : { event: found, ...parts(found.seen), prior: null, written: false }
    this.note(sid, this.#write({ ...event, end, base }))
  }

  async destroyInOtherProcess (sid) {
    await this.settled(sid)
    const [event] = await this.cast.otherProcess.destroy(sid)
    this.note(sid, event)
  }

  /** The recipe saves plain data. */
  async save (sid, value) {
    await this.settled(sid)
    const data = { who: this.sessions().get(this.logs.get(sid))[0], a: value, saved: true }
    const event = await outcome({ what: 'save', data }, () => this.cast.recipe.save(sid, data, { ttl: TTL }))
    event.end = endOf(null, event.t0, event.t1)
    this.note(sid, event)
  }

  /** A program in another language puts a map with an integer key into bin `data` of a live session. */
  async put (sid, value) {
    const { official, stores } = this.cast
    // It would write into an alias.
    if (official === undefined || this.isTroubled || this.isRenewed(sid)) return
    const found = await this.load_({ sid, store: stores.at(-1) })
    if (found.seen === null || (found.seen.cookie.expires && new Date(found.seen.cookie.expires) - Date.now() < 5_000)) return
    const { namespace = 'test' } = this.options
    const key = [namespace, this.set, keyOf(this.options, sid)]
    const who = this.sessions().get(this.logs.get(sid))[0]
    const map = new Map([['who', who], ['a', value], [7, 'seven']])
    const ttl = namespace === 'nottl' ? -1 : LONG
    const event = await outcome({ what: 'put', data: { who, a: value, 7: 'seven' } }, () => official.update(key, { data: map }, ttl))
    // The expiry is that of the record, in whole seconds.
    event.end = ttl === -1 ? {} : { lo: event.t0 + LONG * 1_000 - 2_000, hi: event.t1 + LONG * 1_000 + 2_000, loose: true }
    this.note(sid, event)
  }

  /** Reads a session. The read must succeed. */
  async load_ (request) {
    const [event] = await this.ask(request, false, () => [{ what: 'read' }, request.store.get(request.sid)])
    return event
  }

  /** A store whose prefix and id together make the key of this session. */
  async intrude (sid, what) {
    const { intruder } = this.cast
    if (intruder === undefined || this.isTroubled) return
    await this.settled(sid)
    const id = intruder.idFor(sid)
    const cookie = { originalMaxAge: 60_000, expires: new Date(Date.now() + 60_000), path: '/' }
    switch (what) {
      case 0:
        if (await intruder.store.get(id) !== null) throw new Error('another prefix reads the session')
        break
      case 1:
        await intruder.store.destroy(id)
        await intruder.store.touch(id, { cookie })
        break
      default: {
        const event = await outcome({ what: 'intrude', mayLeave: true }, () => intruder.store.set(id, { cookie, stranger: true }))
        event.refused = event.error?.code === 'BAD_KEY'
        if (event.refused) delete event.error
        else await intruder.store.destroy(id)
        this.note(sid, event)
      }
    }
  }

  async destroy (request, rush) {
    request.dead = true
    await this.ask(request, rush, () => [{ what: 'destroy' }, request.store.destroy(request.sid)])
  }

  /** Renews the session of a request. */
  async renew (request, grace) {
    const { sid, store, session, base } = request
    if (request.dead || base === null) return
    const log = this.logs.get(sid)
    const to = this.newId(log)
    const req = { sessionID: sid, sessionStore: store, session, nextId: to }
    let details
    const [event] = await this.ask(request, false, t0 => {
      const answer = renew(req, { grace })
      const now = copy(session)
      const end = endOf(now.cookie.expires, t0, Date.now())
      details = { base, now, end }
      return [{ ...this.#write(details), what: 'renew', to, grace: grace * 1_000 }, answer]
    })
    const { data, cookie } = parts(details.now)
    if (event.error !== undefined || event.done) request.base = { event, data, cookie, prior: base, written: true, end: details.end }
    if (!event.done) return
    if (req.sessionID !== to || req.session === session) throw new Error('the request was not given the renewed session')
    Object.assign(request, { sid: to, session: req.session, isRenewed: true })
  }

  /** Watches a session. The abort of the signal is part of the event. */
  async watch ({ sid, store }) {
    await this.settled(sid)
    const event = { what: 'watch', t0: Date.now() }
    const { signal, stop } = store.watch(sid)
    event.t1 = Date.now()
    Object.defineProperty(event, 'signal', { value: signal })
    Object.defineProperty(event, 'stop', { value: stop })
    signal.addEventListener('abort', () => { event.aborted = { reason: signal.reason, at: Date.now(), wasStopped: event.stopped } })
    this.note(sid, event)
  }

  /** Stops the watches of a session. */
  stopWatches (sid) {
    for (const event of this.watches(this.logs.get(sid))) {
      event.stop()
      event.stopped = true
    }
  }

  watches (log) {
    return log.filter(({ what }) => what === 'watch')
  }

  /** Logs in at several servers at once, each with a new session, and checks the limit. */
  async logIn (user, count) {
    const requests = Array.from({ length: count }, (_, n) => ({ visitor: n % 2, store: this.cast.stores[n % this.cast.stores.length] }))
    const t0 = Date.now()
    await Promise.all(requests.map(async request => {
      this.generate(request, 60_000)
      request.session.login = this.userName(user)
      await this.write(request, false, false)
      this.visitors[request.visitor] = request.sid
    }))
    await this.noteEvicted(t0)
    await this.checkLimit(user, requests)
  }

  userName (user) {
    return `${process.pid}-${this.number}-${user}`
  }

  /** Adds the sessions that the limit has removed since `t0` to their events. Returns the number. */
  async noteEvicted (t0) {
    // The events come after the answer.
    await pass(0)
    const evicted = await this.cast.evicted()
    for (const sid of this.logs.keys()) {
      const count = evicted.get(this.digestOf(sid)) ?? 0
      const log = this.logs.get(sid)
      const noted = log.filter(({ what, id }) => what === 'evict' && id === sid).length
      for (let n = noted; n < count; n++) log.push({ what: 'evict', id: sid, t0, t1: Date.now() })
    }
  }

  digestOf (sid) {
    return this.cast.stores[0].digestOf(sid)
  }

  /** Checks that a user has no more sessions than the limit, and that these are the newest. */
  async checkLimit (user, requests) {
    const { limit, evict } = typeof this.limit === 'number' ? { limit: this.limit, evict: 'oldest' } : this.limit
    const left = await this.cast.stores[0].sessionsOf(this.userName(user))
    if (left.length > limit || left.length < Math.min(limit, requests.length)) throw new Error(`${left.length} sessions of a user are left, the limit is ${limit}`)
    if (evict !== 'oldest') return
    const digests = new Set(left.map(({ digest }) => digest))
    const isLeft = ({ sid }) => digests.has(this.digestOf(sid))
    const expected = Math.min(limit, requests.length)
    if (requests.filter(isLeft).length < expected) throw new Error(`the limit has left older sessions instead of ${expected} new ones`)
  }

  /** Starts a request for a session id. Returns `null` if it is answered with an error. */
  async begin ({ visitor, server, life }) {
    const request = { visitor, store: this.cast.stores[server], sid: this.visitors[visitor] }
    const found = request.sid !== undefined && await this.load(request)
    if (found === undefined) return null
    if (!found) this.generate(request, life)
    return request
  }

  /** Runs one step of a request. Skips steps that make no sense at this point, so that histories shrink well. */
  async step (request, step) {
    const t0 = Date.now()
    await this.#step(request, step)
    if (this.limit !== undefined) await this.noteEvicted(t0)
  }

  async #step (request, { what, key, value, life, rush, how, fault, seed, grace, user, count }) {
    const { session, sid } = request
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
      case 'undo': {
        // The session as it was when the request began.
        if (request.original === undefined) break
        const loaded = JSON.parse(request.original)
        for (const key of Object.keys(session)) if (key !== 'cookie' && !(key in loaded)) delete session[key]
        Object.assign(session, loaded)
        break
      }
      case 'live': session.cookie.maxAge = life; break
      case 'renew': return this.renew(request, grace)
      case 'watch': return this.watch(request)
      case 'stopWatches': return this.stopWatches(sid)
      case 'logIn': return this.limit && this.logIn(user, count)
      case 'save': return this.write(request, rush, false)
      case 'administer': return this.change(sid, { value, how })
      case 'otherProcess': return this.change(sid, { value, how, isOtherProcess: true })
      case 'destroyInOtherProcess': return this.destroyInOtherProcess(sid)
      case 'recipe': return this.save(sid, value)
      case 'official': return this.put(sid, value)
      case 'intrude': return this.intrude(sid, value)
      case 'destroy': return this.destroy(request, rush)
      case 'reload': {
        if (request.base !== null) await this.load(request)
        break
      }
      case 'regenerate':
        await this.destroy(request, rush)
        this.generate(request, life)
        break
      case 'fault':
        this.isTroubled = true
        return this.faults.begin(keyOf(this.options, sid), MODEL_FAULTS[fault], seed)
      case 'calm': return this.calm()
    }
  }

  async calm () {
    await this.faults.end()
    this.isTroubled = false
  }

  /** Does what express-session does at the end of a response. */
  async end (request, rush) {
    if (request.dead) return
    request.session.touch()
    const { data } = parts(request.session)
    const fresh = request.original === undefined
    if (fresh && Object.keys(data).length === 1) return
    this.visitors[request.visitor] = request.sid
    // express-session saves a session whose id has changed.
    return this.write(request, rush, !fresh && !request.isRenewed && JSON.stringify(data) === request.original)
  }

  /** Returns all events, with a last read of every session. */
  async finish () {
    if (this.faults !== undefined) await this.calm()
    const store = this.cast.stores[0]
    for (const [sid, log] of this.logs) {
      // The new id of a renewal that has failed is not used.
      if (!log.some(({ id, done, to }) => id === sid || (done && to === sid))) continue
      await this.settled(sid)
      for (let tries = 1; ; tries++) {
        const event = await this.load_({ sid, store })
        if (event.error === undefined) break
        if (tries === 20) throw new Error(`nothing can be read after all faults were taken back: ${event.error.message}`)
        await pass(50)
      }
    }
  }

  /** Removes the history's sessions, so that the lists of others do not contain them. */
  async cleanUp () {
    if (this.faults !== undefined) await this.faults.end()
    for (const sid of this.logs.keys()) this.stopWatches(sid)
    await Promise.allSettled([...this.pending.values()].flatMap(({ answers }) => answers))
    await Promise.all([...this.logs.keys()].map(sid => this.cast.stores[0].destroy(sid).catch(() => {})))
  }
}

// --- Random histories ----------------------------------------------------------------------------

const key = fc.constantFrom('a', 'b', 'list', 'map', '', '\ud800', '7', 'notice')
const value = fc.oneof(
  { weight: 4, arbitrary: fc.nat(3) },
  { weight: 1, arbitrary: fc.constantFrom('', 'text', null, true, -1.5, [], {}, [0], { x: 0 }, { y: [{ z: 1 }] }) }
)
const rush = fc.boolean()
const life = fc.constantFrom(60_000, 60_000, 600_000, null, BRIEF)
const visitor = fc.constantFrom(0, 0, 1)
const server = fc.nat(1)
const how = fc.constantFrom('edit', 'copy', 'copy')
const grace = fc.constantFrom(...GRACES)

const STEPS = [
  [12, 'change', { key, value }],
  [4, 'delete', { key }],
  [2, 'nest', { key, value }],
  [2, 'live', { life }],
  [12, 'save', { rush }],
  [1, 'undo', {}],
  [2, 'destroy', { rush }],
  [2, 'reload', {}],
  [2, 'regenerate', { rush, life }],
  [3, 'administer', { value: fc.nat(3), how }],
  [1, 'administer', { value: fc.nat(3), how: fc.constantFrom('list', 'listCopy') }],
  [2, 'otherProcess', { value: fc.nat(3), how }],
  [1, 'destroyInOtherProcess', {}],
  [2, 'recipe', { value: fc.nat(3) }],
  [2, 'official', { value: fc.nat(3) }],
  [1, 'intrude', { value: fc.nat(2) }],
  [4, 'renew', { grace }],
  [6, 'watch', {}],
  [1, 'stopWatches', {}],
  [2, 'pass', { life: fc.constantFrom(5, BRIEF / 2, BRIEF + 5) }]
]
/** Steps with option `maxSessionsPerUser`. */
const LIMITED = [
  [12, 'logIn', { user: fc.nat(1), count: fc.integer({ min: 1, max: 5 }) }]
]
const WRONG = [
  [14, 'fault', { fault: fc.nat(MODEL_FAULTS.length - 1), seed: fc.nat(1_000) }],
  [8, 'calm', {}],
  [4, 'undo', {}],
  [4, 'save', { rush }]
]

/** Generates histories, with faults if `faulty` is set, with logins if `limited` is. */
function histories ({ faulty, limited }) {
  const steps = [...STEPS, ...(faulty ? WRONG : []), ...(limited ? LIMITED : [])]
  const step = fc.oneof(...steps.map(([weight, what, rest]) => ({ weight, arbitrary: fc.record({ what: fc.constant(what), ...rest }) })))
  return fc.record({
    // The lifetimes of the sessions that the two visitors start with.
    lives: fc.tuple(life, life),
    requests: fc.array(fc.record({ visitor, server, life, steps: fc.array(step, { maxLength: faulty ? 8 : 5, size: 'max' }), rush }), { maxLength: 4, size: 'max' }),
    // Which of the requests in flight continues at each step. By default the first one.
    turns: fc.array(fc.nat(3), { maxLength: 24, size: 'max' })
  })
}

/** Runs a history with two visitors that have a session each. `goneOf` returns how often `gone` was emitted for a session. */
async function run ({ lives, requests, turns }, cast, options, set, goneOf) {
  const history = new History(cast, options, set)
  try {
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
    for (const [log, sids] of history.sessions()) {
      let gone = 0
      for (const sid of sids) gone += await goneOf(sid)
      for (const { t0, signal } of check(log, gone)) await abortOf(signal, `the watch since ${t0 - log[0].t0} was not aborted, and its session ${sids} has ended`)
    }
  } finally {
    await history.cleanUp()
  }
}

/** Waits until a signal aborts. Fails if it does not. */
async function abortOf (signal, message) {
  for (const until = Date.now() + WATCH_PATIENCE; !signal.aborted; await pass(20)) {
    if (Date.now() > until) throw new Error(message)
  }
}

/** Runs one request, step by step. */
async function * alone (history, { steps, rush, ...rest }) {
  const request = await history.begin(rest)
  if (request === null) return
  yield
  for (const step of steps) {
    await history.step(request, step)
    yield
  }
  await history.end(request, rush)
}

module.exports = { TTL, histories, run }
