'use strict'

// Bugs planted into the site, to see that the torture test finds them. None of them touches the package: each is a
// subclass of the store that the site uses.

/** A class of stores; untyped, for the many forms that the methods of a store are called in. @typedef {new (...args: any[]) => any} StoreClass */

/** @type {Record<string, (Store: StoreClass) => any>} */
const PLANTS = {
  /** A loaded session is written as if it were a new one: that revives what was logged out, and undoes others' changes. */
  'forget-baseline': Store => class extends Store {
    /**
     * @param {any} req
     * @param {any} session
     */
    createSession (req, session) {
      return super.createSession(req, JSON.parse(JSON.stringify(session)))
    }
  },

  /** A write that failed is taken for done. */
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

  /** A logout that failed is taken for done. */
  'ignore-destroy-errors': Store => class extends Store {
    /**
     * @param {any} sid
     * @param {any} callback
     */
    destroy (sid, callback) {
      return super.destroy(sid, () => callback())
    }
  },

  /** Now and then a read is answered long after its deadline. */
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

  /** What a process read in the last second it does not read again. */
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

  /** A rejection that nobody handles. */
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

  /** Every session that was ever read stays in memory, and a bit more. */
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
