'use strict'

// The sessions: those of a shop, with a cart that is as large as the size requires.

const HOUR = 3_600_000

/** @type {Map<number, string>} */
const made = new Map()

/**
 * Returns a session of about `size` kB as JSON: 0.5 kB is 450 bytes.
 * @param {number} size
 */
function makeSession (size) {
  if (!made.has(size)) made.set(size, JSON.stringify(composeSession(size)))
  const session = JSON.parse(/** @type {string} */ (made.get(size)))
  prolong(session)
  return session
}

/** @param {number} size */
function composeSession (size) {
  const session = {
    cookie: { originalMaxAge: HOUR, expires: new Date(Date.now() + HOUR), secure: true, httpOnly: true, path: '/', sameSite: 'lax' },
    user: { id: 4711, name: 'Ada Lovelace', roles: ['customer', 'editor'] },
    csrf: 'Jk3p0fQ8zv1mWc6dLr9sYt2u',
    locale: 'en-GB',
    views: 12,
    lastSeen: 1_767_225_600_000,
    cart: /** @type {object[]} */ ([])
  }
  const bytes = size === 0.5 ? 450 : size * 1_024
  for (let n = 1; JSON.stringify(session).length + 60 < bytes; n++) {
    session.cart.push({ sku: `sku-${String(n).padStart(5, '0')}`, name: `Kettle no. ${n}`, price: 20.95 + n, quantity: 1 + n % 3 })
  }
  return session
}

/**
 * Renews the cookie as express-session does at the end of each request.
 * @param {any} session
 */
function prolong (session) {
  session.cookie.expires = new Date(Date.now() + HOUR)
}

/**
 * Changes the session like a page that writes.
 * @param {any} session
 */
function change (session) {
  session.views += 1
  session.lastSeen = Date.now()
  prolong(session)
}

/**
 * Returns the ids of sessions of one size. There are fewer large ones, so that memory is not what is measured.
 * @param {number} size
 */
function sessionIds (size) {
  const count = size <= 1 ? 4_000 : 1_000
  return Array.from({ length: count }, (_, n) => `bench-${size}-${String(n * 7_919 % count).padStart(24, '0')}`)
}

module.exports = { change, makeSession, prolong, sessionIds }
