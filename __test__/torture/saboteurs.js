'use strict'

// Saboteurs: bugs in the site that the torture test must detect. None of them changes the package: each is a subclass of the
// site's store.

/** A class of stores; untyped, because the methods of a store have many call forms. @typedef {new (...args: any[]) => any} StoreClass */

/** @type {Record<string, (Store: StoreClass) => any>} */
const PLANTS = {
  /** Writes a loaded session like a new one. That restores removed sessions and reverts other requests' changes. */
  'forget-baseline': Store => class extends Store {
    /**
     * @param {any} req
     * @param {any} session
     */
    createSession (req, session) {
      return super.createSession(req, JSON.parse(JSON.stringify(session)))
    }
  },

  /** Treats a failed write as successful. */
  'swallow-failures': Store => class extends Store {
    /**
     * @param {any} sid
     * @param {any} session
     * @param {any} callback
     */
    set (sid, session, callback) {
      return super.set(sid, session, () => callback())
    }
  },

  /** Treats a failed logout as successful. Has no limit of sessions, which would soon end those that go on. */
  'ignore-destroy-errors': Store => class extends Store {
    /** @param {any} options */
    constructor ({ maxSessionsPerUser, ...options }) {
      super(options)
    }

    /**
     * @param {any} sid
     * @param {any} callback
     */
    destroy (sid, callback) {
      return super.destroy(sid, () => callback())
    }
  },

  /** Answers some reads long after their deadline. */
  'miss-deadlines': Store => class extends Store {
    /**
     * @param {any} sid
     * @param {any} callback
     */
    get (sid, callback) {
      const late = Math.random() < 0.002
      return super.get(sid, (/** @type {any} */ error, /** @type {any} */ session) => late ? setTimeout(() => callback(error, session), 3_500) : callback(error, session))
    }
  },

  /** Serves reads of the last second from a cache of the process. */
  'cache-reads': Store => class extends Store {
    /** @type {Map<string, { at: number, session: any }>} */
    #cache = new Map()

    /**
     * @param {any} sid
     * @param {any} callback
     */
    get (sid, callback) {
      const cached = this.#cache.get(sid)
      if (cached !== undefined && Date.now() - cached.at < 1_000) return process.nextTick(callback, null, structuredClone(cached.session))
      return super.get(sid, (/** @type {any} */ error, /** @type {any} */ session) => {
        if (session) this.#cache.set(sid, { at: Date.now(), session: structuredClone(session) })
        callback(error, session)
      })
    }
  },

  /** Does not limit the sessions of a user. */
  'forget-limit': Store => class extends Store {
    /** @param {any} options */
    constructor ({ maxSessionsPerUser, ...options }) {
      super(options)
    }
  },

  /** Ignores a logout through an old id. Has no limit of sessions, which would end those that go on, or others in their place. */
  'ignore-old-ids': Store => class extends Store {
    /** @type {Set<string>} */
    #old = new Set()

    /** @param {any} options */
    constructor ({ maxSessionsPerUser, ...options }) {
      super(options)
    }

    /**
     * @param {any} req
     * @param {any} session
     */
    createSession (req, session) {
      const created = super.createSession(req, session)
      if (this.baselines.peek(created, req.sessionID)?.isAliased()) this.#old.add(req.sessionID)
      return created
    }

    /**
     * @param {any} sid
     * @param {any} callback
     */
    destroy (sid, callback) {
      return this.#old.has(sid) ? process.nextTick(callback) : super.destroy(sid, callback)
    }
  },

  /** Ends watches with a renewal. */
  'lose-watches': Store => class extends Store {
    /** @type {Map<string, AbortController>} */
    #controllers = new Map()

    /** @param {any} sid */
    watch (sid) {
      const { signal, stop } = super.watch(sid)
      const controller = new AbortController()
      signal.addEventListener('abort', () => controller.abort(signal.reason))
      this.#controllers.set(sid, controller)
      return { signal: controller.signal, stop }
    }

    /** @param {any[]} args */
    renewTo (...args) {
      this.#controllers.get(args[0])?.abort('gone')
      return super.renewTo(...args)
    }
  },

  /** Never reports the end of a watched session. */
  'mute-watches': Store => class extends Store {
    watch () {
      return { signal: new AbortController().signal, stop () {} }
    }
  },

  /** Causes an unhandled rejection. */
  'unhandled-rejection': Store => class extends Store {
    /**
     * @param {any} sid
     * @param {any} callback
     */
    destroy (sid, callback) {
      if (Math.random() < 0.02) Promise.reject(new Error('planted'))
      return super.destroy(sid, callback)
    }
  },

  /** Keeps every session that was ever read in memory, and more. */
  'leak-memory': Store => class extends Store {
    /** @type {any[]} */
    #all = []

    /**
     * @param {any} sid
     * @param {any} callback
     */
    get (sid, callback) {
      this.#all.push(Buffer.alloc(65_536, 1))
      return super.get(sid, callback)
    }
  }
}

module.exports = { PLANTS }
