'use strict'

// Baselines: the state of each session when it was loaded or last written. A later set merges its changes against the
// baseline (src/store/baseline.rs).
//
// express-session passes the object from `get` to `createSession`, and passes the resulting Session to `set` and `touch`.
// If a framework copies the session into its own object, the copy has no baseline and its sets replace the whole session
// (lib/stores/fastify-store.js avoids this). A session that is set under another id, or in another store, has no baseline
// either: there it is a new session.
//
// A record may hold keys that a framework's session object cannot show. For example, express-session's Session has its own
// properties `id`, `req` and `save`, so it skips keys of these names. Such keys are hidden: they are kept here and stored
// again with every set, so that a request does not delete data of another application in the same session.

const { AerospikeSessionError } = require('./errors')
const { PLAIN, cookieIn } = require('./json')

/** Precedes each note. JSON never contains it. */
const SEPARATOR = '\x1e'
/** @type {string[]} */
const NONE = []
/** How many values describe a session in a list: the lengths of its head and its JSON. */
const LENGTHS = 2
/** The same in a list of a user's sessions: also the digest, and when the session was created and last written. */
const LENGTHS_AND_TIMES = 5
/** Properties of the sessions of a user that are not part of their data. */
const PROPERTIES = ['digest', 'created', 'updated']
/** How many writes in doubt are kept. Older ones are dropped. */
const DOUBTS = 8
// Fields of a head (src/store/baseline.rs). The list of keys after `;` is not one of them.
const ALIASED = /^[^;]*,t([0-9a-f]*)/
const TIMES = /^[^;,]*,[^;,]*,(-?\d*),\d+(?:,r(-?\d+))?/

/**
 * The baseline of a session object. The next set or touch passes it to the core as text (src/store/baseline.rs). A touch
 * writes no data, so it passes only the cookies of the session and of sets in doubt.
 */
class Baseline {
  /**
   * @param {Baselines} owner
   * @param {string | undefined} sid the session id; undefined: the core finds it by the head
   * @param {string} [head] the part of the baseline that only the core reads
   * @param {string} [json] the session's JSON
   */
  constructor (owner, sid, head, json) {
    this.owner = owner
    this.sid = sid
    this.head = head
    this.json = json
    /** The stored cookie, if a touch has replaced the one in `json`. @type {string | undefined} */
    this.cookie = undefined
    /** Writes in doubt: `s` and the session's JSON for a set, `c` and the cookie's JSON for a touch. @type {string[]} */
    this.doubts = NONE
    /** Hidden keys with the JSON of their values. @type {Map<string, string> | undefined} */
    this.hidden = undefined
    /** Identifies sets of the same session object, before the first one is answered (src/store/pending_writes.rs). */
    this.writer = ++lastWriter
  }

  /** Returns true if the session id is an old one that leads to the session for a while. */
  isAliased () {
    return this.head !== undefined && ALIASED.test(this.head)
  }

  /** Returns the digest of the session's record, if the session was loaded through an old id. */
  recordDigest () {
    return ALIASED.exec(this.head ?? '')?.[1]
  }

  /** Returns when the session got its id, in milliseconds since 1970. undefined: that is not known. */
  renewedAt () {
    const [, created, renewed] = TIMES.exec(this.head ?? '') ?? []
    const at = renewed ?? created
    return at ? Number(at) : undefined
  }

  /**
   * Returns true if the session has had its id for this long, or that is not known.
   *
   * @param {number} every milliseconds
   * @param {number} time milliseconds since 1970
   */
  isDue (every, time) {
    const since = this.renewedAt()
    return since === undefined || time - since >= every
  }

  /** Returns the notes for a set. Usually there are none. */
  notes () {
    if (this.cookie === undefined && this.doubts === NONE) return undefined
    const stored = this.cookie === undefined ? [] : [`k${this.cookie}`]
    return [...stored, ...this.doubts].map(note => SEPARATOR + note).join('')
  }

  /** Returns the notes for a touch: the stored cookie and those in doubt, without the data. */
  notesOfCookie () {
    if (this.json === undefined) return undefined
    this.cookie ??= cookieIn(this.json)
    let notes = `${SEPARATOR}k${this.cookie}`
    for (const doubt of this.doubts) notes += `${SEPARATOR}c${doubt[0] === 's' ? cookieIn(doubt.slice(1)) : doubt.slice(1)}`
    return notes
  }

  /**
   * Updates the baseline after a set.
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
   * Updates the baseline after a touch.
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
   * Adds a write in doubt. The next set writes its changes again.
   *
   * @param {'s' | 'c'} kind `s` for a set, `c` for a touch
   * @param {string} json the session's JSON for a set, the cookie's for a touch
   */
  doubt (kind, json) {
    if (this.json === undefined) return
    const doubt = kind + json
    this.doubts = [...this.doubts.filter(other => other !== doubt).slice(1 - DOUBTS), doubt]
  }
}

let lastWriter = 0

/**
 * A piece of a list of sessions: all heads and all JSON in one string. A list may have hundreds of thousands of sessions.
 * Their baselines are created only when needed: otherwise the garbage collector would block the event loop for a third longer.
 */
class ListPiece {
  /**
   * @param {Baselines} owner
   * @param {string} text The first line is a JSON array with `width` values per session, which begin with the lengths of its
   *   head and of its JSON. All heads follow, then all JSON.
   * @param {number} width
   */
  constructor (owner, text, width) {
    this.owner = owner
    this.text = text
    const start = text.indexOf('\n') + 1
    /** @type {any[]} */
    const values = JSON.parse(text.slice(0, start))
    this.width = width
    this.values = width > LENGTHS ? values : []
    this.count = values.length / width
    /** The offset of each head, and the end of the last one. */
    this.heads = new Int32Array(this.count + 1)
    /** The offset of each session's JSON, and the end of the last one. */
    this.texts = new Int32Array(this.count + 1)
    let at = start
    for (let n = 0; n < this.count; n++) {
      this.heads[n] = at
      at += values[width * n]
    }
    this.heads[this.count] = this.texts[0] = at
    for (let n = 0; n < this.count; n++) this.texts[n + 1] = at += values[width * n + 1]
  }

  /** @param {number} n */
  json (n) {
    return this.text.slice(this.texts[n], this.texts[n + 1])
  }

  /**
   * Returns the values of {@link PROPERTIES} of a session.
   * @param {number} n
   */
  properties (n) {
    return this.values.slice(this.width * n + LENGTHS, this.width * (n + 1))
  }

  /** @param {number} n */
  baseline (n) {
    return new Baseline(this.owner, undefined, this.text.slice(this.heads[n], this.heads[n + 1]), this.json(n))
  }
}

/** The baseline of a listed session. It is created on first use. */
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

/** Returns the given object from its constructor, so that the private fields of a subclass are added to that object. */
class ReturnOverride {
  /** @param {object} object */
  constructor (object) {
    return object
  }
}

/**
 * Stores a baseline in a private field of the session object. The field is invisible, is not copied, and is freed with the
 * object. A WeakMap would do the same, but would cost more per request than all other JavaScript here, mostly in the garbage
 * collector.
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
 * Removes keys from a loaded session and keeps them as hidden keys for its next set.
 *
 * @param {any} session
 * @param {(name: string) => boolean} isHidden
 */
function hide (session, isHidden) {
  const baseline = PrivateSlot.of(session)
  if (baseline === undefined) return
  for (const name of Object.keys(session)) {
    if (name === 'cookie' || !isHidden(name)) continue
    hideMember(baseline, session, name)
  }
}

/**
 * @param {Baseline} baseline
 * @param {any} session
 * @param {string} name
 */
function hideMember (baseline, session, name) {
  const json = baseline.owner.json.memberOf(session, name, baseline.json ?? '{}')
  baseline.hidden ??= new Map()
  // A key that is not in the JSON was added after the session was loaded: it is no key of the record.
  if (json !== undefined) baseline.hidden.set(name, json)
  delete session[name]
}

/**
 * Adds properties to a session that are not part of its data: JSON and copies leave them out. A key of the data with the
 * name of one becomes hidden. If the application assigns to one, it becomes a key of the data.
 *
 * @param {any} session
 * @param {any[]} values of {@link PROPERTIES}
 */
function describe (session, values) {
  if (PROPERTIES.some(name => shows(session, name))) hide(session, name => PROPERTIES.includes(name))
  for (const [n, name] of PROPERTIES.entries()) {
    const value = values[n] ?? undefined
    Object.defineProperty(session, name, {
      get: () => value,
      set: changed => Object.defineProperty(session, name, { value: changed, enumerable: true, configurable: true, writable: true }),
      enumerable: false,
      configurable: true
    })
  }
}

/**
 * Returns true if JSON.stringify would include the key.
 *
 * @param {object} object
 * @param {string} name
 */
function shows (object, name) {
  return Object.prototype.propertyIsEnumerable.call(object, name)
}

/**
 * Adds the hidden keys to a session's JSON.
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
 * Returns the application's object inside a session of express-openid-connect, which wraps it in a new object each time.
 * @param {any} session
 * @returns {object | undefined}
 */
function innerOf ({ header, data }) {
  return typeof header === 'object' && header !== null && typeof data === 'object' && data !== null ? data : undefined
}

/** The baselines of one store's sessions. */
class Baselines {
  /** Baselines of objects that already hold another store's, or that are not extensible. @type {WeakMap<object, Baseline>} */
  #others = new WeakMap()
  #onUnreadable

  /**
   * @param {import('./json').SessionJson} [json]
   * @param {() => void} [onUnreadable] called for a session of a list that cannot be parsed
   */
  constructor (json = PLAIN, onUnreadable = () => {}) {
    this.json = json
    this.#onUnreadable = onUnreadable
  }

  /**
   * Creates the session object of a loaded session.
   * @param {string | undefined} sid
   * @param {string} head
   * @param {string} json
   * @returns {object}
   */
  load (sid, head, json) {
    const session = this.json.parse(json)
    return this.#attached(session, new Baseline(this, sid, head, this.json.loaded(session, json)))
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
   * Creates the session objects of a list. The head identifies the session to the core.
   *
   * @param {string} text
   * @returns {object[]}
   */
  list (text) {
    return this.#listed(new ListPiece(this, text, LENGTHS))
  }

  /**
   * Creates the session objects of a list of a user's sessions, which have the properties `digest`, `created` and `updated`.
   *
   * @param {string} text
   * @returns {object[]}
   */
  listWithTimes (text) {
    return this.#listed(new ListPiece(this, text, LENGTHS_AND_TIMES), (session, properties) => describe(session, properties))
  }

  /**
   * @param {ListPiece} piece
   * @param {(session: any, properties: any[]) => void} [complete]
   */
  #listed (piece, complete) {
    const sessions = []
    for (let n = 0; n < piece.count; n++) {
      const session = this.#parsed(piece.json(n))
      if (session === undefined) continue
      sessions.push(this.#attached(session, this.#listBaseline(piece, n, session)))
      complete?.(session, piece.properties(n))
    }
    return sessions
  }

  /**
   * Parses a session of a list. Returns undefined if the application's `reviver` rejects it: one session does not fail the list.
   * @param {string} json
   */
  #parsed (json) {
    try {
      return this.json.parse(json)
    } catch (error) {
      if (!(error instanceof AerospikeSessionError)) throw error
      this.#onUnreadable()
    }
  }

  /**
   * @param {ListPiece} piece
   * @param {number} n
   * @param {any} session
   */
  #listBaseline (piece, n, session) {
    if (this.json === PLAIN) return new LazyBaseline(piece, n)
    // Made now: the application may change the session's objects in place.
    const baseline = piece.baseline(n)
    baseline.json = this.json.loaded(session, piece.json(n))
    return baseline
  }

  /**
   * Copies the baseline of a loaded session to the object that a framework made from it. Keys that the framework did not
   * copy become hidden and are removed from the loaded session: express-session compares both objects to detect changes.
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
      if (!shows(to, name)) hideMember(passed, from, name)
    }
    this.#note(to, passed)
  }

  /**
   * Returns the baseline of a session object, if it has one for this id.
   *
   * @param {object} session
   * @param {string} sid
   */
  peek (session, sid) {
    const baseline = this.#baseline(session)
    return baseline?.sid === sid ? baseline : undefined
  }

  /**
   * Returns the baseline of a session object that was loaded or stored, under whatever id.
   * @param {object} session
   */
  find (session) {
    const baseline = this.#baseline(session)
    return baseline?.head === undefined ? undefined : baseline
  }

  /**
   * Returns the baseline of a session object. Creates an empty one if there is none for this id.
   *
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
