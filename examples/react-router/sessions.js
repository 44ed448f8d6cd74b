'use strict'

// Of an application made by React Router's template this is app/sessions.server.js.

const { createSessionStorage } = require('react-router')
const { ReactRouterStore } = require('aerospike-session/react-router')

const { AEROSPIKE_SET, SESSION_SECRET = 'a secret for development only' } = process.env

// The hosts come from AEROSPIKE_HOSTS; without it, localhost:3000.
const store = new ReactRouterStore({ set: AEROSPIKE_SET })

const { getSession, commitSession, destroySession } = store.guard(createSessionStorage({
  cookie: {
    name: 'sid',
    secrets: [SESSION_SECRET],
    httpOnly: true,
    sameSite: 'lax',
    path: '/',
    maxAge: 30 * 60, // seconds
    secure: process.env.NODE_ENV === 'production'
  },
  ...store
}))

module.exports = { store, getSession, commitSession, destroySession }
