'use strict'

// Protects forms from other sites (CSRF) in three ways: the cookie is SameSite=Lax, browsers report the origin of a form, and each
// form has a token that only pages of this session contain.

const crypto = require('node:crypto')

/** The error for a form that is not from this shop. */
class ForgedForm extends Error {
  status = 403
}

const newToken = () => crypto.randomBytes(24).toString('base64url')

/** @param {import('express').Request} req */
function isForeign (req) {
  const site = req.get('Sec-Fetch-Site')
  if (site !== undefined) return site !== 'same-origin' && site !== 'none'
  // Browsers omit that header if the page was loaded by plain HTTP.
  const origin = req.get('Origin')
  return origin !== undefined && !(URL.canParse(origin) && new URL(origin).host === req.get('Host'))
}

/**
 * Rejects requests from other sites. The login form needs no token: it has no session yet that could keep one.
 * @type {import('express').RequestHandler}
 */
const ownFormsOnly = (req, res, next) => {
  if (req.method === 'POST' && isForeign(req)) throw new ForgedForm()
  return next()
}

/**
 * Rejects a form without the token of its session.
 * @type {import('express').RequestHandler}
 */
const withToken = (req, res, next) => {
  const expected = Buffer.from(req.session.csrf ?? '')
  const given = Buffer.from(String(req.body?.csrf ?? ''))
  const isRight = expected.length > 0 && given.length === expected.length && crypto.timingSafeEqual(given, expected)
  if (!isRight) throw new ForgedForm()
  return next()
}

module.exports = { ForgedForm, newToken, ownFormsOnly, withToken }
