'use strict'

// The store for express-session: sessions with their cookie.
//
// express-session reads the number of parameters of some methods, and some libraries read their source. So the methods are
// plain functions with all parameters named. `arguments` shows whether a callback of `undefined` was passed or left out
// (`quiet` in lib/connection.js).
//
// The methods do not call each other by their public names: a subclass that maps session ids would map them twice.

const { BaseStore } = require('./base-store')
const { AsyncResource } = require('node:async_hooks')
const { nextTick, now } = require('../clock')
const { answer, operations, optional, quiet } = require('../connection')
const { withHidden } = require('../baselines')
const { badData, badKey, badOption } = require('../errors')
const { PLAIN, isPlain, showAsJson, stringify, unquoted } = require('../json')
const { LAST_TIME, idFault, kind, notAwaited, timeOf } = require('../options/validate')
const { leaveOut } = require('../outdated-cookies')

class AerospikeStore extends BaseStore {
  /** @param {import('../../index').AerospikeStoreOptions} [options] */
  constructor (options) {
    super(options)
    if (this.connection.json !== PLAIN) showGenerated(this)
  }

  /**
   * Creates the Session of a request and copies the baseline of the loaded session to it. express-session calls this with
   * the object from `get`.
   *
   * @param {any} req
   * @param {any} session
   */
  createSession (req, session) {
    const made = super.createSession(req, session)
    this.baselines.pass(session, made)
    // The id of the request is an old one. Express sets `req.res`.
    if (req.res && this.baselines.peek(made, req.sessionID)?.isAliased()) leaveOut(req.res, req.sessionID)
    // express-session compares the two.
    showAsJson(session, this.connection.json)
    showAsJson(made, this.connection.json)
    return made
  }

  /**
   * @param {any} sid
   * @param {any} [callback]
   */
  get (sid, callback) {
    const decode = (/** @type {string} */ head, /** @type {any} */ json) => this.baselines.load(sid, head, json)
    return quiet(this.connection.sessionRequest(operations.load, sid, this.served(optional(callback)), decode), arguments.length > 1)
  }

  /**
   * @param {any} sid
   * @param {any} session
   * @param {any} [callback]
   */
  set (sid, session, callback) {
    return quiet(this.#set(sid, session, optional(callback)), arguments.length > 2)
  }

  /**
   * @param {any} sid
   * @param {any} session
   * @param {import('../bridge/hub').Callback | undefined} done
   */
  #set (sid, session, done) {
    let json, expires, owner
    try {
      // Serialized now, because later changes belong to a later set.
      json = this.connection.json.stringify(session)
      expires = this.#expires(session, sid)
      if (!hasCookie(session)) json = withCookie(json, expires)
      owner = this.ownerOf?.(session)
    } catch (error) {
      return this.connection.failed(operations.set, error, done)
    }
    if (expires <= now()) return this.#destroy(sid, done)
    const known = this.baselines.of(session, sid)
    json = withHidden(known, session, json)
    // Events of a set are emitted in its AsyncLocalStorage context. Without listeners none is needed.
    const listeners = this.listenerCount('gone') + this.listenerCount('conflict') + this.listenerCount('evicted')
    const context = listeners > 0 ? new AsyncResource('AerospikeSession') : undefined
    const write = new PendingSet(this, known, json, context)
    const { writer, head, json: base } = known
    const notes = known.notes()
    return this.connection.sessionRequest(operations.set, sid, done, write, (handle, slot) => {
      operations.set.entry(handle, slot, sid, json, expires, writer, head, base, notes, owner)
    })
  }

  /**
   * Stores a session under a new id, to which the old one leads for a while. Internal, for lib/renewal.js. The answer is
   * `{ outcome, loaded }`: 'done' with the session as `get` returns it, or 'lost' or 'missing'.
   *
   * @param {string} sid
   * @param {any} id the new one
   * @param {any} session
   * @param {number} grace milliseconds
   * @param {import('../bridge/hub').Callback} done
   */
  renewTo (sid, id, session, grace, done) {
    let json, expires, owner
    try {
      const fault = idFault(id)
      if (fault !== undefined) throw badKey(`the new session id is not valid: ${fault}`)
      json = this.connection.json.stringify(session)
      expires = this.#expires(session, sid)
      owner = this.ownerOf?.(session)
    } catch (error) {
      return this.connection.failed(operations.renew, error, done)
    }
    if (expires <= now()) return answer({ outcome: 'missing' }, done)
    const known = this.baselines.of(session, sid)
    json = withHidden(known, session, json)
    const decode = (/** @type {string} */ text) => {
      const { outcome, head } = JSON.parse(text)
      return { outcome, loaded: head === null ? undefined : this.baselines.load(id, head, json) }
    }
    const answered = (/** @type {any} */ error, /** @type {any} */ value) => {
      if (error?.inDoubt === true) known.doubt('s', json)
      done(error, value)
    }
    const { writer, head, json: base } = known
    const notes = known.notes()
    return this.connection.sessionRequest(operations.renew, sid, answered, decode, (handle, slot) => {
      operations.renew.entry(handle, slot, sid, id, json, expires, grace, writer, head, base, notes, owner)
    })
  }

  /**
   * @param {any} sid
   * @param {any} session
   * @param {any} [callback]
   */
  touch (sid, session, callback) {
    return quiet(this.#touch(sid, session, this.touched(optional(callback))), arguments.length > 2)
  }

  /**
   * @param {any} sid
   * @param {any} session
   * @param {import('../bridge/hub').Callback | undefined} done
   */
  #touch (sid, session, done) {
    const object = typeof session === 'object' && session !== null ? session : {}
    let cookie, expires
    try {
      expires = this.#expires(session, sid)
      cookie = cookieOf(object)
    } catch (error) {
      return this.connection.failed(operations.refresh, error, done)
    }
    if (expires <= now()) return this.#destroy(sid, done)
    const known = this.baselines.of(object, sid)
    const write = new PendingTouch(known, cookie)
    const { writer, head } = known
    const notes = known.notesOfCookie()
    return this.connection.sessionRequest(operations.refresh, sid, done, write, (handle, slot) => {
      operations.refresh.entry(handle, slot, sid, cookie, expires, writer, head, notes)
    })
  }

  /**
   * @param {any} sid
   * @param {any} [callback]
   */
  destroy (sid, callback) {
    return quiet(this.#destroy(sid, optional(callback)), arguments.length > 1)
  }

  /**
   * @param {any} sid
   * @param {import('../bridge/hub').Callback | undefined} done
   */
  #destroy (sid, done) {
    return this.connection.sessionRequest(operations.destroy, sid, done, JSON.parse)
  }

  /**
   * Returns when a session that is written now expires, in milliseconds since 1970: by the `ttl` function if there is one,
   * else by the cookie, else by the `ttl` number.
   *
   * @param {any} session
   * @param {string} sid
   * @returns {number}
   */
  #expires (session, sid) {
    const ttl = this.ttl
    if (typeof ttl === 'function') return Math.min(now() + lifetime(ttl, session, sid), LAST_TIME)
    const expires = session?.cookie?.expires
    const date = expires ? timeOf(expires) : NaN
    return Math.min(Math.ceil(Number.isNaN(date) ? now() + ttl * 1_000 : date), LAST_TIME)
  }
}

/**
 * Lets new sessions of express-session show as JSON what is stored. express-session sets `generate` on its store, and calls it there.
 * @param {AerospikeStore} store
 */
function showGenerated (store) {
  const { json } = store.connection
  /** @type {import('./express-store').Generate | undefined} */
  let generate
  Object.defineProperty(store, 'generate', {
    configurable: true,
    enumerable: true,
    get: () => generate,
    set (/** @type {import('./express-store').Generate} */ given) {
      generate = req => {
        given(req)
        showAsJson(req.session, json)
      }
    }
  })
}

/** A set in flight. It updates the baseline with the result before the caller receives the answer. */
class PendingSet {
  #store
  #known
  #json
  #context

  /**
   * @param {AerospikeStore} store
   * @param {import('../baselines').Baseline} known
   * @param {string} json the session's JSON
   * @param {AsyncResource | undefined} context of the set
   */
  constructor (store, known, json, context) {
    this.#store = store
    this.#known = known
    this.#json = json
    this.#context = context
  }

  /**
   * @param {string | null} head of the next baseline
   * @param {string} [result] as JSON: the head and the events of the set
   */
  written (head, result) {
    if (result !== undefined) head = this.#emitEvents(JSON.parse(result))
    if (head !== null) this.#known.stored(head, this.#json)
  }

  /** @param {{ head: string | null, gone: string | null, conflict: string | null, evicted: string[] }} result */
  #emitEvents ({ head, gone, conflict, evicted }) {
    const emit = () => {
      // After the callback and in a separate call, because a listener may throw.
      if (gone !== null) nextTick(() => this.#store.emit('gone', { digest: gone }))
      if (conflict !== null) nextTick(() => this.#store.emit('conflict', { digest: conflict }))
      for (const digest of evicted) nextTick(() => this.#store.emit('evicted', { digest }))
    }
    if (this.#context === undefined) emit()
    else this.#context.runInAsyncScope(emit)
    return head
  }

  /** @param {any} error */
  failed (error) {
    if (error.inDoubt === true) this.#known.doubt('s', this.#json)
  }
}

/** A touch in flight. It updates the baseline with the result before the caller receives the answer. */
class PendingTouch {
  #known
  #cookie

  /**
   * @param {import('../baselines').Baseline} known
   * @param {string | undefined} cookie
   */
  constructor (known, cookie) {
    this.#known = known
    this.#cookie = cookie
  }

  /** @param {string | null} head of the next baseline */
  written (head) {
    if (head !== null) this.#known.touched(head, this.#cookie)
  }

  /** @param {any} error */
  failed (error) {
    if (error.inDoubt === true) this.#known.doubt('c', this.#cookie ?? '')
  }
}

/**
 * Calls the application's `ttl` function, which returns seconds. Returns milliseconds.
 *
 * @param {(session: any, sid: string) => number} ttl
 * @param {any} session
 * @param {string} sid
 */
function lifetime (ttl, session, sid) {
  let seconds
  try {
    seconds = notAwaited(ttl(session, sid))
  } catch (cause) {
    throw badOption("the function in option 'ttl' threw an error", cause)
  }
  if (typeof seconds !== 'number' || !Number.isFinite(seconds)) {
    throw badOption(`the function in option 'ttl' must return a number of seconds, not ${kind(seconds)}`)
  }
  return Math.ceil(seconds * 1_000)
}

/**
 * Returns true if the session has a cookie with more than its expiry, which is stored separately.
 * @param {any} session
 */
function hasCookie ({ cookie }) {
  // Cookies of express-session always have originalMaxAge.
  return isPlain(cookie) && (cookie.originalMaxAge !== undefined || Object.keys(cookie).some(name => name !== 'expires'))
}

/**
 * Adds a cookie to a session's JSON, made from the time until it expires. Without a cookie, express-session would fail every
 * request with this session. The core does the same for sessions that a SessionStore saved.
 *
 * @param {string} json
 * @param {number} expires
 */
function withCookie (json, expires) {
  const session = JSON.parse(json)
  // Rounded to seconds, so that the next set makes the same cookie.
  const originalMaxAge = Math.ceil((expires - now()) / 1_000) * 1_000
  return stringify({ ...session, cookie: { originalMaxAge, expires: new Date(expires), httpOnly: true, path: '/' } })
}

/**
 * Returns the JSON of the session's cookie, or undefined if it has none.
 * @param {any} session
 */
function cookieOf (session) {
  const cookie = session?.cookie
  if (typeof cookie !== 'object' || cookie === null) return undefined
  try {
    const json = JSON.stringify(cookie)
    return json?.startsWith('{') ? json : undefined
  } catch (cause) {
    throw badData("the session's cookie cannot be turned into JSON", unquoted(cause))
  }
}

module.exports = { AerospikeStore }
