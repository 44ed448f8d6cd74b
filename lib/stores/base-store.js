'use strict'

// The methods of a store for express-session that are about all sessions, a user's sessions or the connection.
// aerospike-store.js has those about the session of a request.

const { AsyncResource } = require('node:async_hooks')
const { Baselines } = require('../baselines')
const { elapsed, nextTick, setTimeout } = require('../clock')
const { answer, operations, optional, quiet } = require('../connection')
const { badKey, badOption } = require('../errors')
const { connectionOf } = require('./shared-client')
const { Store } = require('./express-store')
const { inNoContext } = require('../bridge/no-context')
const { sessionJson } = require('../json')
const {
  aerospikeStoreOptions, clientOptions, destroyByDigestOptions, jsonOptions, scanOptions, sessionsOfOptions, view, watchOptions
} = require('../options/options')
const { ownerArgument } = require('../options/owner')
const { pages } = require('../scan-pages')
const { SessionStore, ASYNC_DISPOSE } = require('./session-store')
const { idFault, names } = require('../options/validate')
const { emitWarning, warn } = require('../warnings')

/**
 * The error that express-session gets instead of a session. It passes the error to `next`, and for this value Express
 * continues with the next handler. The request then has no session, and the browser keeps its cookie.
 */
const NO_SESSION = 'route'
/** Milliseconds between two checks whether the cluster answers again. */
const PROBE_INTERVAL = 250
/** A session id that is never used. */
const PROBE_ID = 'aerospike-session:is-anybody-there'

const DIGEST = /^[0-9a-f]{40}$/i

/** @param {any} error */
const isUnanswered = error => error?.code === 'UNAVAILABLE' || error?.code === 'TIMEOUT'

class BaseStore extends Store {
  #client
  #owned
  /** Whether the store has reported to express-session that it is down. */
  #isDown = false
  /** @param {string} text */
  #list = text => this.baselines.list(text)
  /** @param {string} text */
  #listWithTimes = text => this.baselines.listWithTimes(text)
  #isAnonymous
  #isUnreadableReported = false
  /** When the cluster last answered. */
  #lastAnswer = 0
  /** Callbacks of pending reads. If the cluster goes down, they are answered without a session. @type {Set<(...args: any[]) => void>} */
  #waiting = new Set()

  /** @param {import('../../index').AerospikeStoreOptions} [options] */
  constructor (options) {
    super()
    const { client, given, ttl, user, whenDown } = aerospikeStoreOptions(options)
    this.#owned = client === undefined
    this.#client = client === undefined ? new SessionStore(clientOptions(given)) : client
    const connection = connectionOf(this.#client)
    const number = typeof ttl === 'number' ? ttl : this.#client.ttl
    const inherited = client === undefined ? {} : asOptions(connection.view)
    const own = { ...inherited, ...given }
    this.ttl = ttl ?? number
    this.ownerOf = user
    const { replacer, reviver } = jsonOptions(own)
    const json = sessionJson(replacer ?? connection.json.replacer, reviver ?? connection.json.reviver, true)
    this.connection = connection.withView(view(own, number), json)
    this.baselines = new Baselines(this.connection.json, () => this.#reportUnreadable())
    // Own properties instead of methods, so that a subclass cannot override them by accident.
    this.served = this.#served.bind(this)
    this.touched = this.#touched.bind(this)
    hide(this, ['ttl', 'ownerOf', 'connection', 'baselines', 'served', 'touched'])
    this.#isAnonymous = whenDown === 'anonymous'
    this.#forwardEvents()
  }

  get client () {
    return this.#client
  }

  /** @param {any} [callback] */
  all (callback) {
    return quiet(this.connection.request(operations.all, optional(callback), [], this.#list), arguments.length > 0)
  }

  /** @param {any} [callback] */
  ids (callback) {
    return quiet(this.#ids(optional(callback)), arguments.length > 0)
  }

  /** @param {import('../bridge/hub').Callback | undefined} done */
  #ids (done) {
    if (!this.connection.view.storeIds) return this.connection.fail(operations.ids, badOption("ids() needs option 'storeIds': the server keeps no session ids otherwise"), done)
    return this.connection.request(operations.ids, done)
  }

  /** @param {any} [callback] */
  length (callback) {
    return quiet(this.connection.request(operations.length, optional(callback)), arguments.length > 0)
  }

  /** @param {any} [callback] */
  clear (callback) {
    return quiet(this.connection.request(operations.clear, optional(callback)), arguments.length > 0)
  }

  /** @param {any} [options] */
  async * sessions (options) {
    const { batch } = await this.#scanOptions(operations.sessions, options)
    for await (const { page } of this.#pages(operations.sessions, batch, found => found.length, this.#list)) yield * page
  }

  /** @param {any} [options] */
  async prune (options) {
    const { batch, onProgress } = await this.#scanOptions(operations.prune, options)
    let pruned = 0
    for await (const { page, done } of this.#pages(operations.prune, batch, found => found)) {
      pruned += page
      await onProgress?.({ done, pruned })
    }
    return pruned
  }

  /** @param {any} [callback] */
  createUserIndex (callback) {
    return quiet(this.connection.request(operations.createUserIndex, optional(callback)), arguments.length > 0)
  }

  /**
   * @param {any} user
   * @param {any} [options]
   * @param {any} [callback]
   */
  sessionsOf (user, options, callback) {
    if (typeof options === 'function') [options, callback] = [undefined, options]
    return quiet(this.#sessionsOf(user, options, optional(callback)), arguments.length > 2)
  }

  /**
   * @param {any} user
   * @param {any} options
   * @param {import('../bridge/hub').Callback | undefined} done
   */
  #sessionsOf (user, options, done) {
    let limit
    try {
      ({ limit } = sessionsOfOptions(options))
    } catch (error) {
      return this.connection.fail(operations.sessionsOf, /** @type {Error} */ (error), done)
    }
    return this.#userRequest(operations.sessionsOf, user, done, [limit], this.#listWithTimes)
  }

  /**
   * @param {any} user
   * @param {any} [callback]
   */
  countOf (user, callback) {
    return quiet(this.#userRequest(operations.countOf, user, optional(callback), []), arguments.length > 1)
  }

  /**
   * @param {any} user
   * @param {any} [options]
   * @param {any} [callback]
   */
  destroyOf (user, options, callback) {
    if (typeof options === 'function') [options, callback] = [undefined, options]
    return quiet(this.#destroyOf(user, options, optional(callback)), arguments.length > 2)
  }

  /**
   * @param {any} user
   * @param {any} options
   * @param {import('../bridge/hub').Callback | undefined} done
   */
  #destroyOf (user, options, done) {
    const { except } = options ?? {}
    try {
      names(options ?? {}, ['except'])
    } catch (error) {
      return this.connection.fail(operations.destroyOf, /** @type {Error} */ (error), done)
    }
    const fault = except === undefined ? undefined : idFault(except)
    if (fault !== undefined) return this.connection.fail(operations.destroyOf, badKey(fault), done)
    return this.#userRequest(operations.destroyOf, user, done, [except])
  }

  /**
   * @param {any} digest
   * @param {any} [options]
   * @param {any} [callback]
   */
  destroyByDigest (digest, options, callback) {
    if (typeof options === 'function') [options, callback] = [undefined, options]
    return quiet(this.#destroyByDigest(digest, options, optional(callback)), arguments.length > 2)
  }

  /**
   * @param {any} digest
   * @param {any} options
   * @param {import('../bridge/hub').Callback | undefined} done
   */
  #destroyByDigest (digest, options, done) {
    const operation = operations.destroyByDigest
    return this.connection.attempt(operation, done, () => {
      if (typeof digest !== 'string' || !DIGEST.test(digest)) throw badKey('a digest must be a string of 40 hexadecimal digits')
      return this.connection.request(operation, done, [digest, destroyByDigestOptions(options)])
    })
  }

  /** @param {any} which a session id, or a session object */
  digestOf (which) {
    if (typeof which !== 'object' || which === null) return this.connection.digestOf(which)
    // An old id leads to the session, but only the session itself knows its record.
    const known = this.baselines.find(which)
    if (known?.sid === undefined) throw badKey('digestOf() needs a session id, or a session object that this store has loaded or stored by its id')
    return known.recordDigest() ?? this.connection.digestOf(known.sid)
  }

  /**
   * @param {any} sid
   * @param {any} [options]
   */
  watch (sid, options) {
    const { touch } = watchOptions(options)
    if (touch && typeof this.ttl === 'function') {
      throw badOption("watch() cannot touch sessions if option 'ttl' is a function: only a request has the session that the function needs")
    }
    return this.connection.watch(sid, touch)
  }

  stats () {
    return this.#client.stats()
  }

  /** @param {any} [callback] */
  ready (callback) {
    return quiet(this.connection.request(operations.ready, optional(callback)), arguments.length > 0)
  }

  /** @param {any} [callback] */
  close (callback) {
    // A shared client is not closed: the application owns it.
    const done = optional(callback)
    if (!this.#owned) return answer(undefined, done)
    return quiet(done === undefined ? this.#client.close() : this.#client.close(done), arguments.length > 0)
  }

  [ASYNC_DISPOSE] () {
    return this.close()
  }

  /**
   * Makes a request about the sessions of a user.
   *
   * @param {import('../tracing').Operation} operation
   * @param {any} user
   * @param {import('../bridge/hub').Callback | undefined} done
   * @param {any[]} args after the user
   * @param {import('../bridge/hub').Decode} [decode]
   */
  #userRequest (operation, user, done, args, decode) {
    return this.connection.attempt(operation, done, () => this.connection.request(operation, done, [ownerArgument(user), ...args], decode))
  }

  /**
   * Checks the options of a scan. Rejects for wrong ones.
   *
   * @param {import('../tracing').Operation} operation
   * @param {any} options
   */
  async #scanOptions (operation, options) {
    try {
      return scanOptions(options)
    } catch (error) {
      return /** @type {Promise<never>} */ (this.connection.fail(operation, /** @type {Error} */ (error), undefined))
    }
  }

  /**
   * @param {import('../tracing').Operation} operation
   * @param {number} batch
   * @param {(page: any) => number} sizeOf
   * @param {import('../bridge/hub').Decode} [decode]
   */
  #pages (operation, batch, sizeOf, decode) {
    return pages((first, count) => this.connection.request(operation, undefined, [first, count], decode), batch, sizeOf)
  }

  /**
   * Forwards the client's events. With `whenDown: 'anonymous'` also emits `disconnect` and `connect`, which express-session
   * listens to: in between it serves requests without sessions.
   */
  #forwardEvents () {
    this.connection.events.add(this.#client, this, (event, warning) => {
      if (warning !== undefined) emitWarning(this, warning)
      else this.#onConnectionChange(event === 'down')
    })
    if (!this.#isAnonymous) return
    this.#isDown = this.#client.connected === false
    // A listener that is added while the cluster is down has missed the event.
    this.on('newListener', (event, listener) => {
      if (event === 'disconnect' && this.#isDown) inNoContext(() => nextTick(listener))
    })
  }

  /** Warns once of a session that the application's `reviver` rejects. The core warns of others. */
  #reportUnreadable () {
    if (this.#isUnreadableReported) return
    this.#isUnreadableReported = true
    nextTick(() => warn(this, 'UNREADABLE'))
  }

  /** @param {boolean} isDown */
  #onConnectionChange (isDown) {
    this.emit(isDown ? 'down' : 'up')
    if (this.#isAnonymous) this.#setDown(isDown)
  }

  /** @param {boolean} isDown */
  #setDown (isDown) {
    if (isDown === this.#isDown) return
    this.#isDown = isDown
    this.emit(isDown ? 'disconnect' : 'connect')
    if (!isDown) return
    for (const answer of this.#waiting) nextTick(answer, NO_SESSION)
    this.#probe()
  }

  /** Checks repeatedly whether the cluster answers again, unless the client itself has noticed the outage. */
  #probe () {
    setTimeout(() => {
      // If the client has noticed the outage, its event `up` ends it.
      if (!this.#isDown || this.#client.connected === false) return
      this.#client.has(PROBE_ID).then(() => this.#setDown(false), (/** @type {any} */ error) => {
        if (error.code !== 'CLOSED') this.#probe()
      })
    }, PROBE_INTERVAL).unref()
  }

  /**
   * Returns the callback of a read. With `whenDown: 'anonymous'` it answers without a session if no node answers.
   *
   * @param {import('../bridge/hub').Callback | undefined} callback
   * @returns {import('../bridge/hub').Callback | undefined}
   */
  #served (callback) {
    if (callback === undefined || !this.#isAnonymous) return callback
    const begun = elapsed()
    const bound = AsyncResource.bind(/** @type {(...args: any[]) => void} */ (callback))
    const answer = (/** @type {any[]} */ ...args) => {
      if (this.#waiting.delete(answer)) bound(...args)
    }
    this.#waiting.add(answer)
    return (...args) => {
      if (!isUnanswered(args[0])) {
        this.#lastAnswer = elapsed()
        return answer(...args)
      }
      // No other read was answered in the meantime either.
      if (this.#lastAnswer < begun) this.#setDown(true)
      answer(NO_SESSION)
    }
  }

  /**
   * Returns the callback of a touch. With `whenDown: 'anonymous'` it ignores an outage: a touch carries no data.
   *
   * @param {import('../bridge/hub').Callback | undefined} callback
   * @returns {import('../bridge/hub').Callback | undefined}
   */
  #touched (callback) {
    if (callback === undefined || !this.#isAnonymous) return callback
    return (error, ...rest) => isUnanswered(error) ? callback(null) : callback(error, ...rest)
  }
}

/**
 * Makes properties internal: not enumerable and read-only.
 *
 * @param {object} object
 * @param {string[]} names
 */
function hide (object, names) {
  for (const name of names) Object.defineProperty(object, name, { enumerable: false, writable: false })
}

/**
 * Returns the view of a shared client as options.
 * @param {import('../options/options').ViewOptions} view
 */
function asOptions ({ absoluteTtl, encryptionKeys, hashIds, maxSessionsPerUser, touchAfter, touchOnRead, watchInterval, ...view }) {
  return {
    ...view,
    ...(encryptionKeys === null ? {} : { encryptionKeys }),
    ...(hashIds === null ? {} : { hashIds }),
    ...(absoluteTtl === null ? {} : { absoluteTtl: absoluteTtl / 1_000 }),
    ...(touchAfter === 0 ? {} : { touchAfter: touchAfter / 1_000 }),
    ...(touchOnRead === null ? {} : { touchOnRead })
  }
}

/**
 * Returns the options of another store on the same client, whose sessions have one more prefix.
 * @param {BaseStore} store
 * @param {string} prefix
 */
function optionsWithPrefix ({ client, connection }, prefix) {
  const { namespace, set, bin, ttl, ...options } = asOptions(connection.view)
  return { ...options, client, prefix: options.prefix + prefix }
}

module.exports = { BaseStore, optionsWithPrefix }
