'use strict'

const session = require('express-session')

/**
 * A cookie as express-session makes it. `originalMaxAge` is set once more: the class reckons it from
 * a date, and now and then that is a millisecond less.
 */
function cookie (maxAge, options = {}) {
  const made = new session.Cookie({ path: '/', httpOnly: true, ...options, ...(maxAge === undefined ? {} : { maxAge }) })
  if (maxAge !== undefined) made.originalMaxAge = maxAge
  return made
}

module.exports = { cookie }
