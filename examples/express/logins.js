'use strict'

// Logins with a password, and the limit of wrong ones: five for a name and twenty for an address in a minute, by all processes
// together. The counters use the connection of the sessions.

const crypto = require('node:crypto')
const { RateLimiter } = require('aerospike-session/rate-limit')

/** The only customer with a password. All other names need none. A real shop stores a slow hash of each password (scrypt, argon2). */
const OWNER = { name: 'Owner', password: 'open sesame' }

/** @param {string} text */
const hashOf = text => crypto.createHash('sha256').update(text).digest()

/** @param {{ client: import('aerospike-session').SessionStore, prefix?: string, window?: number }} options window: in seconds */
function guardLogins ({ client, prefix = '', window = 60 }) {
  // If the cluster does not count, customers can log in.
  const byName = new RateLimiter({ client, prefix: `${prefix}login-name:`, limit: 5, window, onError: 'allow' })
  const byAddress = new RateLimiter({ client, prefix: `${prefix}login-address:`, limit: 20, window, onError: 'allow' })

  return {
    /**
     * Checks a login. Counts it before it checks the password: otherwise logins at the same time would all be checked.
     *
     * @param {string} name
     * @param {unknown} password
     * @param {string} address
     * @returns {Promise<{ ok: boolean, retryAfter: number }>} retryAfter: seconds until the next login is checked; 0: it was checked
     */
    async check (name, password, address) {
      // Whatever the case: `owner` is the same customer.
      if (name.toLowerCase() !== OWNER.name.toLowerCase()) return { ok: true, retryAfter: 0 }
      const limits = await Promise.all([byName.consume(OWNER.name), byAddress.consume(address)])
      const retryAfter = Math.max(...limits.map(({ retryAfter }) => retryAfter))
      if (retryAfter > 0) return { ok: false, retryAfter }
      const ok = crypto.timingSafeEqual(hashOf(String(password ?? '')), hashOf(OWNER.password))
      if (ok) await byName.reset(OWNER.name).catch(() => {})
      return { ok, retryAfter: 0 }
    }
  }
}

module.exports = { OWNER, guardLogins }
