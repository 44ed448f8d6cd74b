'use strict'

// What a store knew of a session when it was loaded or last written, beside the object that the
// application changes: the base of the merge that a later set makes (src/store/baseline.rs).
//
// express-session passes what `get` returned to `createSession`, and the Session that makes to
// `set` and `touch`. A framework that copies the session into an object of its own has no
// baseline, and its sets replace the whole session (but see lib/stores/fastify-store.js). So has a session that is set under another id,
// or in another store, than it came from: there it is a new one.
//
// A record may hold keys that a framework's session object cannot show: express-session's takes over no `id`, `req` or `save`,
// since it has properties of these names. Such keys are hidden: they are kept here and stored again with every set, so
// that a page does not delete what another application keeps in the same session.

/** In front of each note: no JSON contains it. */
const SEPARATOR = '\x1e'
/** @type {string[]} */
const NONE = []
/** So many writes in doubt are remembered, the last ones. */
const DOUBTS = 8
/** Finds the cookie where every session of the core and of Express has it, unless there are objects in it. */
const COOKIE_IN_FRONT = /^\{"cookie":(\{(?:[^"{}]|"(?:[^"\\]|\\.)*")*\})/

/**
 * The text of the cookie in the text of a session; empty: it has none.
 * @param {string} json
 */
function cookieIn (json) {
  const found = COOKIE_IN_FRONT.exec(json)
  if (found !== null) return found[1]
  const { cookie } = JSON.parse(json)
  return cookie === undefined ? '' : JSON.stringify(cookie)
}

/**
 * What is baseline of a session object. The core gets it back with the next set or touch, as texts (src/store/baseline.rs).
 * A touch writes no data: with it go neither the session nor a set in doubt, only their cookies.
 */
class Baseline {
  /**
   * @param {Baselines} owner
   * @param {string | undefined} sid the id it is baseline under; undefined: the core finds out
   * @param {string} [head] the baseline: a head, which only the core reads
   * @param {string} [json] and the session's JSON
   */
  constructor (owner, sid, head, json) {
    this.owner = owner
    this.sid = sid
    this.head = head
    this.json = json
    /** The cookie that is stored, if it is no longer the one in `json`: a touch wrote it. @type {string | undefined} */
    this.cookie = undefined
    /** Writes that failed and may have been carried out: `s` and a session that was set, `c` and the cookie of a touch. @type {string[]} */
    this.doubts = NONE
    /** Keys that the object cannot show, with the JSON text of their values. @type {Map<string, string> | undefined} */
    this.hidden = undefined
    /** By this the core knows which sets belong together before the first is answered (src/store/writers.rs). */
    this.writer = ++last
  }

  /** The notes for a set; there are none, usually. */
  notes () {
    if (this.cookie === undefined && this.doubts === NONE) return undefined
    const stored = this.cookie === undefined ? [] : [`k${this.cookie}`]
    return [...stored, ...this.doubts].map(note => SEPARATOR + note).join('')
  }

  /** The notes for a touch: with the cookie that is stored, and none of the data. */
  notesOfCookie () {
    if (this.json === undefined) return undefined
    this.cookie ??= cookieIn(this.json)
    let notes = `${SEPARATOR}k${this.cookie}`
    for (const doubt of this.doubts) notes += `${SEPARATOR}c${doubt[0] === 's' ? cookieIn(doubt.slice(1)) : doubt.slice(1)}`
    return notes
  }

  /**
   * Notes a set that was carried out.
   *
   * @param {string} head
   * @param {string} json
   */
  stored (head, json) {
    this.head = head
    this.json = json
    this.cookie = undefined
    this.doubts = NONE
  }

  /**
   * Notes a touch that was carried out.
   *
   * @param {string} head
   * @param {string | undefined} cookie
   */
  touched (head, cookie) {
    this.head = head
    if (cookie === undefined) return
    this.cookie = cookie
    if (this.doubts !== NONE) this.doubts = this.doubts.filter(doubt => doubt[0] === 's')
  }

  /**
   * Notes a write that failed, and may have been carried out: what it changed is written again by the next set.
   *
   * @param {'s' | 'c'} kind a set, or a touch
   * @param {string} json of the session, or of the cookie
   */
  doubt (kind, json) {
    if (this.json === undefined) return
    const doubt = kind + json
    this.doubts = [...this.doubts.filter(other => other !== doubt).slice(1 - DOUBTS), doubt]
  }
}

let last = 0

/**
 * A piece of a list of sessions: the heads of their baselines and their texts, one after the other in one text. Nothing else is
 * kept of the sessions of a list until one of them is asked for: there may be hundreds of thousands, and the garbage collector
 * would stop the event loop for a third longer.
 */
class ListPiece {
  /**
   * @param {Baselines} owner
   * @param {string} text in the first line a JSON array: for each session how long its head is, and its text; then the heads,
   *   and then the texts
   */
  constructor (owner, text) {
    this.owner = owner
    this.text = text
    const start = text.indexOf('\n') + 1
    /** @type {number[]} */
    const lengths = JSON.parse(text.slice(0, start))
    this.count = lengths.length / 2
    /** Where each head begins, and where the last one ends. */
    this.heads = new Int32Array(this.count + 1)
    /** The same of the texts. */
    this.texts = new Int32Array(this.count + 1)
    let at = start
    for (let n = 0; n < this.count; n++) {
      this.heads[n] = at
      at += lengths[2 * n]
    }
    this.heads[this.count] = this.texts[0] = at
    for (let n = 0; n < this.count; n++) this.texts[n + 1] = at += lengths[2 * n + 1]
  }

  /** @param {number} n */
  json (n) {
    return this.text.slice(this.texts[n], this.texts[n + 1])
  }

  /** @param {number} n */
  baseline (n) {
    return new Baseline(this.owner, undefined, this.text.slice(this.heads[n], this.heads[n + 1]), this.json(n))
  }
}

/** A session of a list, as long as nobody has asked what is baseline of it. */
class LazyBaseline {
  /** @type {Baseline | undefined} */
  #baseline

  /**
   * @param {ListPiece} piece
   * @param {number} n
   */
  constructor (piece, n) {
    this.piece = piece
    this.n = n
  }

  get baseline () {
    return (this.#baseline ??= this.piece.baseline(this.n))
  }
}

/** Makes of its subclass's private fields fields of whatever object it is given. */
class ReturnOverride {
  /** @param {object} object */
  constructor (object) {
    return object
  }
}

/**
 * A private field of a session object: nobody sees it, nothing copies it, and it goes when the object goes. A WeakMap
 * does the same, but costs a request more than all else that JavaScript does here, most of it in the garbage collector.
 */
class PrivateSlot extends ReturnOverride {
  #baseline

  /**
   * @param {object} session
   * @param {Baseline | LazyBaseline} baseline
   */
  constructor (session, baseline) {
    super(session)
    this.#baseline = baseline
  }

  /**
   * @param {any} session
   * @returns {Baseline | undefined}
   */
  static of (session) {
    if (!(#baseline in session)) return undefined
    if (session.#baseline instanceof LazyBaseline) session.#baseline = session.#baseline.baseline
    return session.#baseline
  }

  /**
   * @param {any} session
   * @param {Baseline | LazyBaseline} baseline
   */
  static set (session, baseline) {
    if (#baseline in session) session.#baseline = baseline
    else new PrivateSlot(session, baseline) // eslint-disable-line no-new
  }
}

/**
 * Takes keys out of a session that was loaded, and keeps them for its next set.
 *
 * @param {any} session
 * @param {(name: string) => boolean} isHidden
 */
function hide (session, isHidden) {
  const baseline = PrivateSlot.of(session)
  if (baseline === undefined) return
  for (const name of Object.keys(session)) {
    if (name === 'cookie' || !isHidden(name)) continue
    baseline.hidden ??= new Map()
    baseline.hidden.set(name, JSON.stringify(session[name]))
    delete session[name]
  }
}

/**
 * Whether JSON finds a key in an object.
 *
 * @param {object} object
 * @param {string} name
 */
function shows (object, name) {
  return Object.prototype.propertyIsEnumerable.call(object, name)
}

/**
 * The text of a session with the keys that its object cannot show.
 *
 * @param {Baseline} baseline
 * @param {any} session
 * @param {string} json
 */
function withHidden ({ hidden }, session, json) {
  if (hidden === undefined) return json
  const members = []
  for (const [name, value] of hidden) {
    if (!shows(session, name)) members.push(`${JSON.stringify(name)}:${value}`)
  }
  if (json !== '{}') members.push(json.slice(1, -1))
  return `{${members.join()}}`
}

/**
 * express-openid-connect puts each session into a new object, but keeps the application's own in it.
 * @param {any} session
 * @returns {object | undefined}
 */
function innerOf ({ header, data }) {
  return typeof header === 'object' && header !== null && typeof data === 'object' && data !== null ? data : undefined
}

/** Of the sessions of one store. */
class Baselines {
  /** Of objects that were another store's before they were this one's, or take no more fields. @type {WeakMap<object, Baseline>} */
  #others = new WeakMap()

  /**
   * A session from the baseline that the core loaded.
   * @param {string | undefined} sid
   * @param {string} head
   * @param {string} json
   * @returns {object}
   */
  load (sid, head, json) {
    return this.#attached(JSON.parse(json), new Baseline(this, sid, head, json))
  }

  /**
   * @param {any} session
   * @param {Baseline | LazyBaseline} baseline
   * @returns {object}
   */
  #attached (session, baseline) {
    PrivateSlot.set(session, baseline)
    const inner = innerOf(session)
    if (inner !== undefined) PrivateSlot.set(inner, baseline)
    return session
  }

  /**
   * The sessions of a list, each from its baseline. The core knows by the head which session it is of.
   *
   * @param {string} text
   * @returns {object[]}
   */
  list (text) {
    const piece = new ListPiece(this, text)
    return Array.from({ length: piece.count }, (_, n) => this.#attached(JSON.parse(piece.json(n)), new LazyBaseline(piece, n)))
  }

  /**
   * Hands what is baseline of a session over to the object that a framework made of it. Keys that it did not take over are
   * hidden, and taken out of what was loaded: express-session compares the two to find out whether a page changed anything.
   *
   * @param {any} from
   * @param {any} to
   */
  pass (from, to) {
    const baseline = this.#baseline(from)
    if (baseline === undefined) return
    const passed = new Baseline(this, baseline.sid, baseline.head, baseline.json)
    passed.cookie = baseline.cookie
    passed.doubts = baseline.doubts
    if (baseline.hidden !== undefined) passed.hidden = new Map(baseline.hidden)
    for (const name of Object.keys(from)) {
      if (shows(to, name)) continue
      passed.hidden ??= new Map()
      passed.hidden.set(name, JSON.stringify(from[name]))
      delete from[name]
    }
    this.#note(to, passed)
  }

  /**
   * @param {object} session
   * @param {string} sid
   */
  of (session, sid) {
    let baseline = this.#baseline(session)
    if (baseline === undefined) {
      const inner = innerOf(session)
      if (inner !== undefined) baseline = this.#baseline(inner)
    }
    if (baseline === undefined) this.#note(session, baseline = new Baseline(this, sid))
    else if (baseline.sid === undefined) baseline.sid = sid
    else if (baseline.sid !== sid) this.#note(session, baseline = new Baseline(this, sid))
    return baseline
  }

  /** @param {object} session */
  #baseline (session) {
    const baseline = PrivateSlot.of(session)
    return baseline?.owner === this ? baseline : this.#others.get(session)
  }

  /**
   * @param {object} session
   * @param {Baseline} baseline
   */
  #note (session, baseline) {
    const before = PrivateSlot.of(session)
    const isFree = before === undefined ? Object.isExtensible(session) : before.owner === this
    if (isFree) PrivateSlot.set(session, baseline)
    else this.#others.set(session, baseline)
  }
}

module.exports = { Baselines, Baseline, hide, withHidden }
