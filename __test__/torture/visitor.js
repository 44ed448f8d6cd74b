'use strict'

// A visitor: one browser with one session at a time, of a user who has several. The ledger records each request before it is
// sent, and its result afterwards.

const { setTimeout: pass } = require('node:timers/promises')

/** The most keys in a session. */
const KEYS = 6
/** The most milliseconds that a slow request takes. */
const SLOWEST = 1_500
/** The share of removed sessions that is looked for. */
const RECENT = 300

class Visitor {
  #traffic
  #ledger
  #random
  #user
  /** @type {import('./ledger').Session | undefined} */
  #session

  /**
   * @param {{ traffic: import('./traffic').Traffic, ledger: import('./ledger').Ledger,
   *   random: import('../../devserver/differential/random').Random, user: string }} options
   */
  constructor ({ traffic, ledger, random, user }) {
    this.#traffic = traffic
    this.#ledger = ledger
    this.#random = random
    this.#user = ledger.user(user)
  }

  /** @param {AbortSignal} over */
  async visit (over) {
    for (;;) {
      await this.#traffic.turn()
      if (over.aborted) return
      const session = this.#session
      if (session === undefined || session.state === 'gone' || session.state === 'lost') {
        await this.#logIn()
        continue
      }
      await this.#random.weighted([
        [40, () => look(this.#traffic, this.#ledger, session)],
        [25, () => this.#set(session, this.#key(), 0)],
        [8, () => this.#setSeveral(session)],
        [4, () => this.#set(session, this.#key(), this.#random.int(50, SLOWEST))],
        [2, () => this.#race(session)],
        [2, () => this.#renew(session)],
        [1, () => this.#renewDuring(session)],
        [3, () => this.#watch(session)],
        [2, () => this.#logOut(session)],
        [1, () => this.#logOutEverywhere(session)],
        [2, () => this.#logIn(session)],
        [6, () => this.#lookForOneGone()]
      ])
    }
  }

  /** Logs in. Returns whether that succeeded. */
  async logInOnce () {
    await this.#logIn()
    return this.#session !== undefined
  }

  /**
   * Returns a cookie of the session: usually that of the last id, sometimes that of an old one, as a request that is under way has it.
   * @param {import('./ledger').Session} session
   */
  #cookie ({ cookies }) {
    return this.#random.chance(0.8) ? cookies[cookies.length - 1] : this.#random.pick(cookies)
  }

  /**
   * Renews the id. A failure leaves the old one, and it is in doubt whether there is a new one.
   * @param {import('./ledger').Session} session
   */
  async #renew (session) {
    if (!session.isRenewable) return look(this.#traffic, this.#ledger, session)
    session.renewals++
    const sent = this.#ledger.send(session, 'renew')
    const { ok, seen, code, cookie } = await this.#traffic.send('POST', '/renew', { cookie: session.cookies[session.cookies.length - 1] })
    if (!ok) return session.note(`renew failed with ${code}`)
    this.#ledger.saw(sent, seen)
    if (cookie === undefined) return
    this.#ledger.counts.renewals++
    session.cookies.push(cookie)
  }

  /**
   * Renews the id while slow requests are in flight.
   * @param {import('./ledger').Session} session
   */
  async #renewDuring (session) {
    const wait = this.#random.int(50, SLOWEST)
    const slow = [this.#set(session, this.#key(), wait), this.#set(session, this.#key(), 0)]
    await pass(this.#random.int(0, wait))
    await this.#renew(session)
    await Promise.all(slow)
    await look(this.#traffic, this.#ledger, session)
  }

  /** @param {import('./ledger').Session} session */
  async #watch (session) {
    const sent = this.#ledger.send(session, 'watch')
    const { ok, seen } = await this.#traffic.send('POST', '/watch', { cookie: this.#cookie(session) })
    if (ok) this.#ledger.saw(sent, seen)
  }

  #key () {
    return `key${this.#random.int(1, KEYS)}`
  }

  /** @param {import('./ledger').Session} [old] a session that a new one takes the place of */
  async #logIn (old) {
    const number = this.#ledger.nextNumber()
    const sent = this.#ledger.now()
    const loggedOut = old && this.#ledger.logOut(old, false)
    const answered = this.#ledger.logIn(this.#user, sent)
    const { ok, cookie } = await this.#traffic.send('POST', `/login?user=${this.#user.name}&number=${number}`, { cookie: old && this.#cookie(old) })
    answered(ok)
    loggedOut?.(ok ? 'acknowledged' : 'failed')
    if (!ok) return
    if (cookie === undefined) return this.#ledger.violation('a login without a cookie', `session ${number}`)
    this.#session = this.#ledger.loggedIn(number, this.#user, cookie, sent)
  }

  /**
   * @param {import('./ledger').Session} session
   * @param {string} name
   * @param {number} wait milliseconds between load and save
   */
  async #set (session, name, wait) {
    if (session.key(name).isBusy) return
    const value = this.#ledger.issue(session, name)
    const sent = this.#ledger.send(session, `set ${name} = ${value}${wait > 0 ? `, slow by ${wait} ms` : ''}`)
    const { ok, seen, code } = await this.#traffic.send('POST', `/set?key=${name}&value=${value}&wait=${wait}`, { cookie: this.#cookie(session), wait })
    // Without a session nothing was written.
    this.#ledger.written(sent, name, value, ok && seen !== null)
    if (ok) this.#ledger.saw(sent, seen)
    else session.note(`${sent.what} failed with ${code}`)
  }

  /**
   * Writes different keys in parallel.
   * @param {import('./ledger').Session} session
   */
  async #setSeveral (session) {
    const names = new Set(this.#random.list(2, 4, () => this.#key()))
    await Promise.all(Array.from(names, async name => {
      await this.#traffic.turn()
      await this.#set(session, name, this.#random.chance(0.3) ? this.#random.int(1, 50) : 0)
    }))
  }

  /**
   * Logs out while a slow request is in flight.
   * @param {import('./ledger').Session} session
   */
  async #race (session) {
    const wait = this.#random.int(50, SLOWEST)
    const slow = this.#set(session, this.#key(), wait)
    await pass(this.#random.int(0, wait + 50))
    await this.#random.weighted([[3, () => this.#logOut(session)], [1, () => this.#logOutEverywhere(session)]])
    await slow
    await look(this.#traffic, this.#ledger, session)
  }

  /** @param {import('./ledger').Session} session */
  async #logOut (session) {
    await this.#leave(session, '/logout', false)
  }

  /** @param {import('./ledger').Session} session */
  async #logOutEverywhere (session) {
    await this.#leave(session, '/logout-everywhere', true)
  }

  /**
   * @param {import('./ledger').Session} session
   * @param {string} path
   * @param {boolean} everywhere
   */
  async #leave (session, path, everywhere) {
    const sent = this.#ledger.send(session, path.slice(1))
    const ended = this.#ledger.logOut(session, everywhere)
    const { ok, seen, code } = await this.#traffic.send('POST', path, { cookie: this.#cookie(session) })
    if (!ok) session.note(`${path.slice(1)} failed with ${code}`)
    // Without a session, no other session was logged out.
    if (ok) ended(seen === null ? 'found no session' : 'acknowledged')
    else ended('failed')
    if (ok) this.#ledger.saw(sent, seen)
  }

  async #lookForOneGone () {
    const { gone } = this.#ledger
    if (gone.length === 0) return
    await look(this.#traffic, this.#ledger, gone[Math.max(0, gone.length - this.#random.int(1, RECENT))])
  }
}

/**
 * Reads a session.
 * @param {import('./traffic').Traffic} traffic
 * @param {import('./ledger').Ledger} ledger
 * @param {import('./ledger').Session} session
 */
async function look (traffic, ledger, session) {
  const sent = ledger.send(session, 'read')
  // The ids take turns: all of them lead to the session.
  const { cookies } = session
  session.looks++
  const { ok, seen } = await traffic.send('GET', '/state', { cookie: cookies[cookies.length - 1 - session.looks % Math.min(2, cookies.length)] })
  if (ok) ledger.saw(sent, seen)
  return ok
}

module.exports = { Visitor, look }
