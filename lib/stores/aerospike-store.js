'use strict'

// The store express-session asks for: sessions with their cookie.
//
// express-session reads the number of parameters of some methods, and libraries read their source:
// they are plain functions with all their parameters named. Whether a call passed `undefined` as its
// callback or no callback at all is read from `arguments` (`quiet` in lib/connection.js).
//
// These methods do not call each other by their public names: a subclass that maps session ids would map them twice.

const { BaseStore } = require('./base-store')
const { AsyncResource } = require('node:async_hooks')
const { nextTick, now } = require('../clock')
const { operations, optional, quiet } = require('../connection')
const { withHidden } = require('../baselines')
const { badData, badOption } = require('../errors')
const { isPlain, stringify, unquoted } = require('../json')
const { LAST_TIME, kind, notAwaited, timeOf } = require('../options/validate')

class AerospikeStore extends BaseStore {
  /**
   * Called by express-session on what `get` returned: what was loaded goes over to the Session.
   *
   * @param {any} req
   * @param {any} session
   */
  createSession (req, session) {
    const made = super.createSession(req, session)
    this.baselines.pass(session, made)
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
      // The text is taken now: what the application changes later belongs to a later set.
      json = stringify(session)
      expires = this.#expires(session, sid)
      if (!hasCookie(session)) json = withCookie(json, expires)
      owner = this.ownerOf?.(session)
    } catch (error) {
      return this.connection.failed(operations.set, error, done)
    }
    if (expires <= now()) return this.#destroy(sid, done)
    const known = this.baselines.of(session, sid)
    json = withHidden(known, session, json)
    // The events of a set belong to its context; they come seldom, and without listeners they need none.
    const context = this.listenerCount('gone') + this.listenerCount('conflict') > 0 ? new AsyncResource('AerospikeSession') : undefined
    const write = new SetUnderWay(this, known, json, context)
    return this.connection.sessionRequest(operations.set, sid, done, write, json, expires, known.writer, known.head, known.json, known.notes(), owner)
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
    const write = new TouchUnderWay(known, cookie)
    return this.connection.sessionRequest(operations.refresh, sid, done, write, cookie, expires, known.writer, known.head, known.notesOfCookie())
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
   * When a session written now ends, in milliseconds since 1970: a `ttl` function decides; else
   * the cookie; else the `ttl` number.
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

/** A set that is not answered yet. Takes note of what became of it, before the caller hears of it. */
class SetUnderWay {
  #store
  #known
  #json
  #context

  /**
   * @param {AerospikeStore} store
   * @param {import('../baselines').Baseline} known
   * @param {string} json what is set
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

  /** @param {{ head: string | null, gone: string | null, conflict: string | null }} result */
  #emitEvents ({ head, gone, conflict }) {
    const tell = () => {
      // After the callback, and outside of what calls it: a listener may throw.
      if (gone !== null) nextTick(() => this.#store.emit('gone', { digest: gone }))
      if (conflict !== null) nextTick(() => this.#store.emit('conflict', { digest: conflict }))
    }
    if (this.#context === undefined) tell()
    else this.#context.runInAsyncScope(tell)
    return head
  }

  /** @param {any} error */
  failed (error) {
    if (error.inDoubt === true) this.#known.doubt('s', this.#json)
  }
}

/** The same for a touch. */
class TouchUnderWay {
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
 * Milliseconds, by the application's own function of seconds.
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
 * Whether a session has a cookie that says more than its end, which is stored apart from it.
 * @param {any} session
 */
function hasCookie ({ cookie }) {
  // express-session's have it always.
  return isPlain(cookie) && (cookie.originalMaxAge !== undefined || Object.keys(cookie).some(name => name !== 'expires'))
}

/**
 * A session's text with a cookie made from the time that it has left, as one is made for a session of the recipe: without
 * one, express-session fails every request of its visitor.
 *
 * @param {string} json
 * @param {number} expires
 */
function withCookie (json, expires) {
  const session = JSON.parse(json)
  // In whole seconds, so that the cookie of the next set is the same.
  const originalMaxAge = Math.ceil((expires - now()) / 1_000) * 1_000
  return stringify({ ...session, cookie: { originalMaxAge, expires: new Date(expires), httpOnly: true, path: '/' } })
}

/**
 * The text of the session's cookie; undefined for a session without one.
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
