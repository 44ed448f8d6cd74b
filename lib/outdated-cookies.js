'use strict'

// Keeps outdated session cookies out of responses. After a renewal, a request that still came with the old id must not set the
// cookie with the old id again: its response may arrive after the one with the new cookie, and the browser would lose the
// session at the end of the grace period.
//
// express-session and koa-session set their cookies with `res.setHeader`. Only then is it decided.

/**
 * @typedef {(cookie: string, all: string[]) => boolean} IsCookie returns true for a `Set-Cookie` line that has the session id
 * @typedef {{ isOutdated: () => boolean, isCookie: IsCookie }} Outdated
 */

/**
 * The session ids whose cookies may be outdated, by response.
 * @type {WeakMap<object, Map<string, Outdated>>}
 */
const responses = new WeakMap()

const always = () => true

/**
 * The cookies of express-session.
 * @param {string} sid
 * @returns {IsCookie}
 */
function signed (sid) {
  // The id is signed, and then encoded.
  const beginning = encodeURIComponent(`s:${sid}.`)
  return cookie => cookie.startsWith(beginning, cookie.indexOf('=') + 1)
}

/**
 * Leaves the cookie with this session id out of a response.
 *
 * @param {any} res
 * @param {string} sid
 * @param {() => boolean} [isOutdated] called when the header is written; if it returns false, the cookie is set
 * @param {IsCookie} [isCookie]
 */
function leaveOut (res, sid, isOutdated = always, isCookie = signed(sid)) {
  let ids = responses.get(res)
  if (ids === undefined) {
    ids = new Map()
    responses.set(res, ids)
    replaceSetHeader(res, ids)
  }
  ids.set(sid, { isOutdated, isCookie })
}

/**
 * @param {any} res
 * @param {Map<string, Outdated>} ids
 */
function replaceSetHeader (res, ids) {
  const { setHeader } = res
  /**
   * @param {string} name
   * @param {any} value
   */
  res.setHeader = function (name, value) {
    if (String(name).toLowerCase() !== 'set-cookie') return setHeader.apply(this, arguments)
    const all = [value].flat().map(String)
    const kept = all.filter(cookie => !isLeftOut(cookie, all, ids))
    if (kept.length === all.length) return setHeader.apply(this, arguments)
    return kept.length === 0 ? this : setHeader.call(this, name, kept)
  }
}

/**
 * @param {string} cookie a line of the header `Set-Cookie`
 * @param {string[]} all
 * @param {Map<string, Outdated>} ids
 */
function isLeftOut (cookie, all, ids) {
  for (const { isOutdated, isCookie } of ids.values()) {
    if (isCookie(cookie, all) && isOutdated()) return true
  }
  return false
}

module.exports = { leaveOut }
