'use strict'

// In an application made from React Router's template this file is app/sessions.server.js.

const { createSessionStorage } = require('react-router')
const { ReactRouterStore } = require('aerospike-session/react-router')

const { AEROSPIKE_SET, NODE_ENV, SESSION_SECRET } = process.env

// Everyone can read this secret, so the app does not start with it in production.
const DEVELOPMENT_SECRET = 'a secret for development only: it is published'
const secret = SESSION_SECRET || DEVELOPMENT_SECRET
const isProduction = NODE_ENV === 'production'
if (isProduction && (secret === DEVELOPMENT_SECRET || secret.length < 32)) {
  throw new Error('In production, SESSION_SECRET must be set to at least 32 random characters, such as those of `openssl rand -hex 32`')
}

// The hosts come from AEROSPIKE_HOSTS; without it, localhost:3000.
const store = new ReactRouterStore({ set: AEROSPIKE_SET })

const { getSession, commitSession, destroySession } = store.guard(createSessionStorage({
  cookie: {
    name: 'sid',
    secrets: [secret],
    httpOnly: true,
    sameSite: 'lax',
    path: '/',
    maxAge: 30 * 60, // seconds
    secure: isProduction
  },
  ...store
}))

module.exports = { store, getSession, commitSession, destroySession }
