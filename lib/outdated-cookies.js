'use strict'

// Keeps outdated session cookies out of responses. After a renewal, a request that still came with the old id must not set the
// cookie with the old id again: its response may arrive after the one with the new cookie, and the browser would lose the
// session at the end of the grace period.
//
// express-session sets its cookie with `res.setHeader` when the headers are written. Only then is it decided.

/**
 * The session ids whose cookies may be outdated, by response.
 * @type {WeakMap<object, Map<string, () => boolean>>}
 */
const responses = new WeakMap()

const always = () => true

/**
 * Leaves the cookie with this session id out of a response.
 *
 * @param {any} res
 * @param {string} sid
 * @param {() => boolean} [isOutdated] called when the header is written; if it returns false, the cookie is set
 */
function leaveOut (res, sid, isOutdated = always) {
  let ids = responses.get(res)
  if (ids === undefined) {
    ids = new Map()
    responses.set(res, ids)
    replaceSetHeader(res, ids)
  }
  ids.set(sid, isOutdated)
}

/**
 * @param {any} res
 * @param {Map<string, () => boolean>} ids
 */
function replaceSetHeader (res, ids) {
  const { setHeader } = res
  /**
   * @param {string} name
   * @param {any} value
   */
  res.setHeader = function (name, value) {
    if (String(name).toLowerCase() !== 'set-cookie') return setHeader.apply(this, arguments)
    const all = [value].flat()
    const kept = all.filter(cookie => !isLeftOut(String(cookie), ids))
    if (kept.length === all.length) return setHeader.apply(this, arguments)
    return kept.length === 0 ? this : setHeader.call(this, name, kept)
  }
}

/**
 * @param {string} cookie the value of a `Set-Cookie` header
 * @param {Map<string, () => boolean>} ids
 */
function isLeftOut (cookie, ids) {
  const value = cookie.slice(cookie.indexOf('=') + 1)
  for (const [sid, isOutdated] of ids) {
    // The id is signed, and then encoded.
    if (value.startsWith(encodeURIComponent(`s:${sid}.`)) && isOutdated()) return true
  }
  return false
}

module.exports = { leaveOut }
