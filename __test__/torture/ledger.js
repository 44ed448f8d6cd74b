'use strict'

// The checker's records: every session, every key in it, and every acknowledged write. It checks what each answer shows.
// docs/torture.md has all rules.
//
// Each key is written by one request at a time, with increasing numbers. What a request must see is fixed when it is sent:
// nothing older than what was acknowledged at that time, except for writes in doubt. These have failed, and may still be
// applied until their fault ends, and a while after.

/** Milliseconds after a fault in which its requests may still be applied. */
const GRACE = 3_000
/** The number of events kept per session. */
const HISTORY = 40
/** The number of removed sessions that are looked for. */
const GONE = 3_000
/** The most sessions of a user. */
const LIMIT = 3
/** How often the id of a session is renewed: the old ids lead from one to the next, 8 at most. */
const RENEWALS = 5
/** Violations of a rule that are explained. The others are only counted. */
const EXPLAINED = 5

/**
 * @typedef {{ user?: any, number?: any, isWhole: boolean, keys: Record<string, unknown> } | null} Seen
 * @typedef {{ value: number, fault: number }} Doubt
 * @typedef {'alive' | 'doubtful' | 'gone' | 'lost'} State
 * doubtful: a logout failed, or was in flight during the login; lost: the cluster lost its records
 */

class Key {
  /** The last sent value. */
  issued = 0
  /** The last acknowledged value. */
  floor = 0
  /** Writes in doubt. @type {Doubt[]} */
  doubts = []
  /** Whether a request is in flight. */
  isBusy = false
}

class Session {
  /** @type {State} */
  state = 'alive'
  /** The number of logouts in flight. */
  closing = 0
  /** How often the session was looked for after its removal. */
  sweeps = 0
  /** The last faults during which logouts were in doubt. */
  fault = 0
  /** Whether the limit of the user's sessions may have removed it. */
  isEvictable = false
  /** How often it was looked for. */
  looks = 0
  /** How often it was asked to renew the id. */
  renewals = 0
  /** @type {Map<string, Key>} */
  keys = new Map()
  /** @type {string[]} */
  #history = []

  /**
   * @param {number} number
   * @param {User} user
   * @param {string} cookie
   * @param {number} sent when the login was sent
   */
  constructor (number, user, cookie, sent) {
    this.number = number
    this.user = user
    /** The cookies with the ids that it has had. Each leads to the session. */
    this.cookies = [cookie]
    this.sent = sent
    /** When the login was acknowledged. */
    this.loggedIn = Infinity
  }

  /** Whether its id may be renewed once more. */
  get isRenewable () {
    return this.renewals < RENEWALS
  }

  /** @param {string} name */
  key (name) {
    let key = this.keys.get(name)
    if (key === undefined) this.keys.set(name, key = new Key())
    return key
  }

  /** @param {string} event */
  note (event) {
    this.#history.push(event)
    if (this.#history.length > HISTORY) this.#history.shift()
  }

  get history () {
    return this.#history
  }
}

class User {
  /** @type {Set<Session>} */
  sessions = new Set()
  /** The number of logouts everywhere in flight. */
  closing = 0
  lastClosing = -Infinity
  /**
   * The logins in flight, and when those were sent that have failed, but may have been carried out.
   * @type {Set<{ sent: number }>}
   */
  logins = new Set()
  /** @type {number[]} */
  ghosts = []
  /** When the last logins were answered. @type {number[]} */
  answered = []
  lastLogin = -Infinity

  /** @param {string} name */
  constructor (name) {
    this.name = name
  }
}

/** A request as the ledger saw it when it was sent, with what its answer must show. */
class Sent {
  /**
   * @param {Session} session
   * @param {string} what
   * @param {number} at
   * @param {number} fault
   */
  constructor (session, what, at, fault) {
    this.session = session
    this.what = what
    this.at = at
    this.fault = fault
    this.state = session.state
    this.closing = session.closing
    /** @type {Map<string, number>} */
    this.floors = new Map()
    for (const [name, key] of session.keys) this.floors.set(name, key.floor)
  }
}

class Ledger {
  #sessions = 0
  /** When each fault ended, in milliseconds; Infinity if it has not. @type {number[]} */
  #faults = [0]
  #from = performance.now()
  #lastLoss = -Infinity
  /** @type {Map<string, User>} */
  #users = new Map()
  /** @type {Set<Session>} */
  open = new Set()
  /** Removed sessions. @type {Session[]} */
  gone = []
  /** @type {{ rule: string, text: string }[]} */
  violations = []
  violated = 0
  counts = { writes: 0, logins: 0, logouts: 0, everywhere: 0, inDoubt: 0, landedLate: 0, reads: 0, lost: 0, renewals: 0, watches: 0, evicted: 0 }

  /** Starts the test. */
  start () {
    this.#from = performance.now()
  }

  /** Returns the milliseconds since the start. */
  now () {
    return performance.now() - this.#from
  }

  /** Starts a fault. Returns its number. */
  faultBegins () {
    return this.#faults.push(Infinity) - 1
  }

  faultEnds () {
    this.#faults[this.#faults.length - 1] = this.now()
  }

  get #fault () {
    return this.#faults.length - 1
  }

  /**
   * Returns true if no request that this fault affected can be in flight any more.
   * @param {number} fault
   * @param {number} at
   */
  #isCalm (fault, at) {
    return at > this.#faults[fault] + GRACE
  }

  get users () {
    return [...this.#users.values()]
  }

  /** @param {string} name */
  user (name) {
    let user = this.#users.get(name)
    if (user === undefined) this.#users.set(name, user = new User(name))
    return user
  }

  /** Returns the number of the next session. */
  nextNumber () {
    return ++this.#sessions
  }

  /**
   * Records a login when it is sent.
   * @param {User} user
   * @param {number} sent
   * @returns {(isAcknowledged: boolean) => void} reports the result
   */
  logIn (user, sent) {
    const login = { sent }
    user.logins.add(login)
    this.#evict(user)
    return isAcknowledged => {
      // Others may have logged in meanwhile, or logged out.
      this.#evict(user)
      user.logins.delete(login)
      user.lastLogin = this.now()
      user.answered.push(user.lastLogin)
      if (user.answered.length > HISTORY) user.answered.shift()
      if (!isAcknowledged) user.ghosts.push(sent)
    }
  }

  /**
   * Notes which sessions the limit may remove now: those that as many newer ones may exist of.
   * @param {User} user
   */
  #evict (user) {
    const others = [...user.ghosts, ...[...user.logins].map(({ sent }) => sent)]
    for (const session of user.sessions) {
      const newer = others.length + [...user.sessions].filter(one => one !== session && one.loggedIn >= session.sent).length
      if (newer >= LIMIT) session.isEvictable = true
    }
  }

  /**
   * @param {number} number
   * @param {string} reason
   */
  watchEnded (number, reason) {
    this.counts.watches++
    const session = [...this.open].find(one => one.number === number)
    if (session === undefined || session.state !== 'alive' || session.closing > 0 || session.isEvictable) return
    this.#violated('a watch ended, and its session did not', session, `its signal was aborted with '${reason}'`)
  }

  /** @param {number} number of a session */
  isGone (number) {
    return this.gone.some(session => session.number === number)
  }

  /**
   * Checks the limit after a login of a user, when nothing else is in flight.
   * @param {User} user
   * @param {number} found sessions that can be read
   */
  counted (user, found) {
    if (found > LIMIT) this.violation('more sessions than the limit', `${user.name} has ${found}`)
  }

  /**
   * Records an acknowledged login.
   * @param {number} number
   * @param {User} user
   * @param {string} cookie
   * @param {number} sent when it was sent
   */
  loggedIn (number, user, cookie, sent) {
    const session = new Session(number, user, cookie, sent)
    session.loggedIn = this.now()
    // While its login was in flight, others may have removed it, even if their sessions are gone by now. One answer is its own.
    const others = user.ghosts.length + user.logins.size + user.answered.filter(end => end >= sent).length - 1
    session.isEvictable = others >= LIMIT
    this.counts.logins++
    session.note(`${clock(sent)}–${clock(this.now())} login`)
    if (user.closing > 0 || user.lastClosing >= sent || this.#lastLoss >= sent) {
      session.state = 'doubtful'
      session.fault = this.#fault
    }
    session.closing = user.closing
    this.open.add(session)
    user.sessions.add(session)
    return session
  }

  /**
   * Records a request that uses a session, when it is sent.
   * @param {Session} session
   * @param {string} what
   */
  send (session, what) {
    return new Sent(session, what, this.now(), this.#fault)
  }

  /**
   * Returns the next value for a key that no request is writing.
   * @param {Session} session
   * @param {string} name
   */
  issue (session, name) {
    const key = session.key(name)
    key.isBusy = true
    return ++key.issued
  }

  /**
   * Records the answer or failure of a write.
   * @param {Sent} sent
   * @param {string} name
   * @param {number} value
   * @param {boolean} isAcknowledged
   */
  written (sent, name, value, isAcknowledged) {
    const key = sent.session.key(name)
    key.isBusy = false
    if (isAcknowledged) {
      this.counts.writes++
      key.floor = value
      key.doubts = key.doubts.filter(({ fault }) => !this.#isCalm(fault, sent.at))
    } else {
      this.counts.inDoubt++
      key.doubts.push({ value, fault: this.#fault })
    }
  }

  /**
   * Checks what a request showed of its session.
   * @param {Sent} sent
   * @param {Seen} seen
   */
  saw (sent, seen) {
    const { session, what } = sent
    this.counts.reads++
    const shown = seen === null ? 'no session' : JSON.stringify(seen.keys)
    session.note(`${clock(sent.at)}–${clock(this.now())} ${what}, saw ${shown}`)
    if (seen === null) return this.#sawNothing(sent)
    if (sent.state === 'gone') return this.#violated('a logout was undone', session, `${what} sent at ${clock(sent.at)} sees the session again: ${shown}`)
    if (seen.number !== session.number || seen.user !== session.user.name || !seen.isWhole) {
      return this.#violated('a session holds what is not its own', session, `${what} sent at ${clock(sent.at)} sees session ${seen.number} of ${seen.user}${seen.isWhole ? '' : ', damaged'}`)
    }
    if (session.state === 'doubtful' && sent.state === 'doubtful' && session.closing === 0 && sent.closing === 0 && this.#isCalm(session.fault, sent.at)) {
      session.state = 'alive'
    }
    const { user } = session
    if (user.logins.size === 0 && sent.at > user.lastLogin) session.isEvictable = false
    for (const [name, floor] of sent.floors) this.#sawKey(sent, name, floor, seen.keys[name] ?? 0)
  }

  /** @param {Sent} sent */
  #sawNothing ({ session, what, at, state, closing }) {
    if (session.state === 'alive' && session.closing === 0 && closing === 0 && !session.isEvictable) {
      this.#violated('a session was lost', session, `${what} sent at ${clock(at)} sees no session; nobody has logged out`)
    }
    if (session.isEvictable && session.state === 'alive') this.counts.evicted++
    // The result of a logout in flight is known when it is answered.
    if (state !== 'gone' && session.closing === 0) this.#remove(session)
  }

  /**
   * @param {Sent} sent
   * @param {string} name
   * @param {number} floor
   * @param {unknown} value
   */
  #sawKey ({ session, what, at }, name, floor, value) {
    const key = session.key(name)
    const isNew = typeof value === 'number' && value >= floor && value <= key.issued
    if (isNew) return
    if (key.doubts.some(doubt => doubt.value === value)) {
      this.counts.landedLate++
      return
    }
    this.#violated('an acknowledged write was lost', session,
      `${what} sent at ${clock(at)} sees ${name} = ${value}; ${floor} had been acknowledged by then, ${key.issued} was the last one sent, in doubt: ${key.doubts.map(({ value }) => value).join(', ') || 'none'}`)
  }

  /**
   * Records a logout when it is sent: of one session, or of all current sessions of a user.
   * @param {Session} session
   * @param {boolean} everywhere
   * @returns {(how: 'acknowledged' | 'failed' | 'found no session') => void} reports the result
   */
  logOut (session, everywhere) {
    const { user } = session
    const meant = everywhere ? [...user.sessions] : [session]
    const sent = this.now()
    for (const one of meant) one.closing++
    if (everywhere) user.closing++
    return how => {
      const event = `${clock(sent)}–${clock(this.now())} logout${everywhere ? ' everywhere' : ''} ${how}`
      if (everywhere) {
        user.closing--
        user.lastClosing = this.now()
        // It may or may not include sessions that logged in in the meantime.
        for (const one of user.sessions) if (!meant.includes(one)) one.closing--
      }
      for (const one of meant) {
        one.closing--
        one.note(event)
        if (how === 'acknowledged') this.#remove(one)
        else if (how === 'failed' && (one.state === 'alive' || one.state === 'doubtful')) [one.state, one.fault] = ['doubtful', this.#fault]
      }
      if (how === 'acknowledged') this.counts[everywhere ? 'everywhere' : 'logouts']++
    }
  }

  /** @param {Session} session */
  #remove (session) {
    if (session.state === 'gone') return
    session.state = 'gone'
    this.open.delete(session)
    session.user.sessions.delete(session)
    this.gone.push(session)
    if (this.gone.length > GONE) this.gone.shift()
  }

  /** Records that the cluster lost its records: open sessions may be missing. */
  allLost () {
    this.#lastLoss = this.now()
    for (const user of this.#users.values()) user.ghosts.length = 0
    for (const session of this.open) {
      session.state = 'lost'
      session.user.sessions.delete(session)
      this.counts.lost++
    }
    this.open.clear()
  }

  /**
   * @param {string} rule
   * @param {Session} session
   * @param {string} text
   */
  #violated (rule, session, text) {
    this.violation(rule, `session ${session.number}: ${text}`, session.history)
  }

  /**
   * @param {string} rule
   * @param {string} text
   * @param {string[]} [history]
   */
  violation (rule, text, history = []) {
    this.violated++
    if (this.violations.filter(one => one.rule === rule).length >= EXPLAINED) return
    this.violations.push({ rule, text: [text, ...history.map(event => `    ${event}`)].join('\n') })
  }
}

/**
 * Returns the seconds since the start.
 * @param {number} ms
 */
function clock (ms) {
  return `${(ms / 1_000).toFixed(3)} s`
}

module.exports = { LIMIT, Ledger, Session, clock }
