'use strict'

// What of an express store concerns all its sessions, or its connection, and not the one session
// of a request.

const { AsyncResource } = require('node:async_hooks')
const { Baselines } = require('../baselines')
const { elapsed, nextTick, setTimeout } = require('../clock')
const { Connection, answer, operations, optional, quiet } = require('../connection')
const { name } = require('../../package.json')
const { badKey, badOption } = require('../errors')
const { Store } = require('./express-store')
const { inNoContext } = require('../bridge/no-context')
const { aerospikeStoreOptions, clientOptions, sessionsOfOptions, view, walkOptions } = require('../options/options')
const { ownerArgument } = require('../options/owner')
const { pages } = require('../scan-pages')
const { SessionStore, ASYNC_DISPOSE } = require('./session-store')
const { idFault, names, type } = require('../options/validate')
const { emitWarning } = require('../warnings')

/**
 * What express-session is answered instead of a session, as an error: it passes it to `next`, and Express goes on to the next
 * handler. The request has no session then, and the visitor keeps the cookie.
 */
const NO_SESSION = 'route'
/** Milliseconds between two looks whether the cluster answers again. */
const LOOK_AGAIN = 250
/** The id of no session. */
const NOBODY = 'aerospike-session:is-anybody-there'

/** @param {any} error */
const isUnanswered = error => error?.code === 'UNAVAILABLE' || error?.code === 'TIMEOUT'

class BaseStore extends Store {
  #client
  #owned
  /** Whether express-session was told that the store is down. */
  #away = false
  /** @param {string} text */
  #list = text => this.baselines.list(text)
  #isAnonymous
  /** When the cluster last answered. */
  #heard = 0
  /** Those who wait for a session, and are served without one if the cluster goes. @type {Set<(...args: any[]) => void>} */
  #waiting = new Set()

  /** @param {import('../../index').AerospikeStoreOptions} [options] */
  constructor (options) {
    super()
    const { client, given, ttl, user, whenDown } = aerospikeStoreOptions(options)
    this.#owned = client === undefined
    this.#client = client === undefined ? new SessionStore(clientOptions(given)) : client
    const connection = Connection.of(this.#client)
    if (connection === undefined) throw badOption(`option 'client' must be a SessionStore${instead(client)}`)
    const number = typeof ttl === 'number' ? ttl : this.#client.ttl
    const inherited = client === undefined ? {} : asOptions(connection.view)
    const own = { ...inherited, ...given }
    this.ttl = ttl ?? number
    this.ownerOf = user
    this.connection = connection.withView(view(own, number))
    this.baselines = new Baselines()
    // Own properties and not methods: a subclass that overrides methods never sees them called.
    this.served = this.#served.bind(this)
    this.touched = this.#touched.bind(this)
    hide(this, ['ttl', 'ownerOf', 'connection', 'baselines', 'served', 'touched'])
    this.#isAnonymous = whenDown === 'anonymous'
    this.#traced()
  }

  get client () {
    return this.#client
  }

  /** @param {any} [callback] */
  all (callback) {
    return quiet(this.connection.request(operations.all, optional(callback), undefined, undefined, this.#list), arguments.length > 0)
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
    const { batch } = await this.#walk(operations.sessions, options)
    for await (const { page } of this.#pages(operations.sessions, batch, found => found.length, this.#list)) yield * page
  }

  /** @param {any} [options] */
  async prune (options) {
    const { batch, onProgress } = await this.#walk(operations.prune, options)
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
    return this.#of(operations.sessionsOf, user, done, limit, this.#list)
  }

  /**
   * @param {any} user
   * @param {any} [callback]
   */
  countOf (user, callback) {
    return quiet(this.#of(operations.countOf, user, optional(callback)), arguments.length > 1)
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
    return this.#of(operations.destroyOf, user, done, except)
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
    // A lent client belongs to who lent it.
    const done = optional(callback)
    if (!this.#owned) return answer(undefined, done)
    return quiet(done === undefined ? this.#client.close() : this.#client.close(done), arguments.length > 0)
  }

  [ASYNC_DISPOSE] () {
    return this.close()
  }

  /**
   * @param {import('../tracing').Operation} operation
   * @param {any} user
   * @param {import('../bridge/hub').Callback | undefined} done
   * @param {any} [a]
   * @param {import('../bridge/hub').Decode} [decode]
   */
  #of (operation, user, done, a, decode) {
    return this.connection.attempt(operation, done, () => this.connection.request(operation, done, ownerArgument(user), a, decode))
  }

  /**
   * The options of a walk; rejects for wrong ones.
   *
   * @param {import('../tracing').Operation} operation
   * @param {any} options
   */
  async #walk (operation, options) {
    try {
      return walkOptions(options)
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
    return pages((first, count) => this.connection.request(operation, undefined, first, count, decode), batch, sizeOf)
  }

  /**
   * Passes on what the client tells. With `anonymous` express-session is told when the cluster
   * goes and comes, and serves requests without sessions meanwhile.
   */
  #traced () {
    this.connection.events.add(this.#client, this, (event, warning) => {
      if (warning !== undefined) emitWarning(this, warning)
      else this.#turn(event === 'down')
    })
    if (!this.#isAnonymous) return
    this.#away = this.#client.connected === false
    // Who begins to listen while the cluster is away has missed that it went.
    this.on('newListener', (event, listener) => {
      if (event === 'disconnect' && this.#away) inNoContext(() => nextTick(listener))
    })
  }

  /** @param {boolean} away */
  #turn (away) {
    this.emit(away ? 'down' : 'up')
    if (this.#isAnonymous) this.#stay(away)
  }

  /** @param {boolean} away */
  #stay (away) {
    if (away === this.#away) return
    this.#away = away
    this.emit(away ? 'disconnect' : 'connect')
    if (!away) return
    for (const answer of this.#waiting) nextTick(answer, NO_SESSION)
    this.#lookAgain()
  }

  /** Finds out when the cluster answers again, if the client has not noticed that it was away. */
  #lookAgain () {
    setTimeout(() => {
      // Event `up` will tell.
      if (!this.#away || this.#client.connected === false) return
      this.#client.has(NOBODY).then(() => this.#stay(false), (/** @type {any} */ error) => {
        if (error.code !== 'CLOSED') this.#lookAgain()
      })
    }, LOOK_AGAIN).unref()
  }

  /**
   * The callback of a read. With `whenDown: 'anonymous'` a request is served without a session when no node answers.
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
        this.#heard = elapsed()
        return answer(...args)
      }
      // Nothing was heard while this waited.
      if (this.#heard < begun) this.#stay(true)
      answer(NO_SESSION)
    }
  }

  /**
   * The callback of a touch, which holds nothing that would be lost.
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
 * Describes a wrong value of option `client`, to complete the message.
 * @param {any} client
 */
function instead (client) {
  const classes = namesOfClasses(client)
  if (classes.includes('SessionStore')) {
    return ` of the same copy of ${name}, and this one is of another: the package is loaded twice. ` +
      `\`npm ls ${name}\` shows installed copies; a test runner that resets modules makes copies, too`
  }
  if (classes.includes('AerospikeStore')) return ', not an AerospikeStore: give its property `client`'
  if (classes.includes('FrameworkStore')) return `, not a ${classes[0]}: give its property \`store.client\``
  return `, not ${type(client)}`
}

/** @param {any} value */
function namesOfClasses (value) {
  const classes = []
  for (let one = value; typeof one === 'object' && one !== null; one = Object.getPrototypeOf(one)) {
    if (Object.hasOwn(one, 'constructor') && typeof one.constructor === 'function') classes.push(one.constructor.name)
  }
  return classes
}

/**
 * Makes properties those of the store alone: no inspection shows them, and nobody changes them.
 *
 * @param {object} object
 * @param {string[]} names
 */
function hide (object, names) {
  for (const name of names) Object.defineProperty(object, name, { enumerable: false, writable: false })
}

/**
 * The view of a lent client, as the options that make the same.
 * @param {import('../options/options').ViewOptions} view
 */
function asOptions ({ absoluteTtl, encryptionKeys, hashIds, touchAfter, touchOnRead, ...view }) {
  return {
    ...view,
    ...(encryptionKeys === null ? {} : { encryptionKeys }),
    ...(hashIds === null ? {} : { hashIds }),
    ...(absoluteTtl === null ? {} : { absoluteTtl: absoluteTtl / 1_000 }),
    ...(touchAfter === 0 ? {} : { touchAfter: touchAfter / 1_000 }),
    ...(touchOnRead === null ? {} : { touchOnRead })
  }
}

module.exports = { BaseStore }
