'use strict'

// What a store knew of a session when it was loaded or last written, beside the object that the
// application changes: the base of the merge that a later set makes (src/store/baseline.rs).
//
// express-session passes what `get` returned to `createSession`, and the Session that makes to
// `set` and `touch`. A framework that copies the session into an object of its own has no
// baseline, and its sets replace the whole session. So has a session that is set under another id,
// or in another store, than it came from: there it is a new one.

/** What is known of a session object. */
class Known {
  /**
   * @param {string} sid the id it is known under
   * @param {string} [text] the baseline: a head, and the session's JSON
   */
  constructor (sid, text) {
    this.sid = sid
    this.text = text
    /** By this the core knows which sets belong together before the first is answered (src/store/writers.rs). */
    this.writer = ++last
  }
}

let last = 0

/** Of the sessions of one store. */
class Baselines {
  /** @type {WeakMap<object, Known>} */
  #known = new WeakMap()

  /**
   * A session from the text that the core loaded.
   * @param {string} sid
   * @param {string} text
   * @returns {object}
   */
  load (sid, text) {
    const session = JSON.parse(text.slice(text.indexOf('{')))
    this.#known.set(session, new Known(sid, text))
    return session
  }

  /**
   * @param {object} from
   * @param {object} to
   */
  pass (from, to) {
    const known = this.#known.get(from)
    if (known !== undefined) this.#known.set(to, new Known(known.sid, known.text))
  }

  /**
   * @param {object} session
   * @param {string} sid
   */
  of (session, sid) {
    let known = this.#known.get(session)
    if (known?.sid !== sid) this.#known.set(session, known = new Known(sid))
    return known
  }
}

module.exports = { Baselines, Known }
