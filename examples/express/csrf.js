'use strict'

// Forms of other sites must not act for who is logged in here. Three things see to it: the cookie is SameSite=Lax,
// browsers tell where a form comes from, and each form carries a token that only this session's pages have.

const crypto = require('node:crypto')

/** A form that is not of this shop. */
class ForgedForm extends Error {
  status = 403
}

const newToken = () => crypto.randomBytes(24).toString('base64url')

/** @param {import('express').Request} req */
function isForeign (req) {
  const site = req.get('Sec-Fetch-Site')
  if (site !== undefined) return site !== 'same-origin' && site !== 'none'
  // Browsers leave that header out where the page came by plain HTTP.
  const origin = req.get('Origin')
  return origin !== undefined && !(URL.canParse(origin) && new URL(origin).host === req.get('Host'))
}

/**
 * Refuses what other sites send. The login form needs no more: it has no session yet whose token it could carry.
 * @type {import('express').RequestHandler}
 */
const ownFormsOnly = (req, res, next) => {
  if (req.method === 'POST' && isForeign(req)) throw new ForgedForm()
  return next()
}

/**
 * Refuses a form without the token of its session.
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
