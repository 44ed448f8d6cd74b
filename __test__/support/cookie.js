'use strict'

const session = require('express-session')

/**
 * Creates a cookie as express-session does. Sets `originalMaxAge` again, because the class computes it from a date and sometimes
 * loses a millisecond.
 */
function cookie (maxAge, options = {}) {
  const made = new session.Cookie({ path: '/', httpOnly: true, ...options, ...(maxAge === undefined ? {} : { maxAge }) })
  if (maxAge !== undefined) made.originalMaxAge = maxAge
  return made
}

module.exports = { cookie }
