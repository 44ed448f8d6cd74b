'use strict'

const express = require('express')
const session = require('express-session')
const passport = require('passport')
const { Strategy } = require('passport-local')
const { AerospikeStore } = require('aerospike-session')

const { AEROSPIKE_SET, PORT = 8080, SESSION_SECRET = 'a secret for development only' } = process.env

// Stands for the application's own users and their hashed passwords.
/** @type {Map<string, { id: string, password: string }>} */
const users = new Map([['ada', { id: 'ada', password: 'lovelace' }], ['grace', { id: 'grace', password: 'hopper' }]])

passport.use(new Strategy((name, password, done) => {
  const user = users.get(name)
  done(null, user?.password === password ? user : false)
}))
passport.serializeUser((user, done) => done(null, user.id))
passport.deserializeUser((id, done) => done(null, users.get(id) ?? false))

// The hosts come from AEROSPIKE_HOSTS; without it, localhost:3000. By `user` the store finds all sessions of somebody.
const store = new AerospikeStore({ set: AEROSPIKE_SET, user: 'passport.user' })
const app = express()
app.use(session({
  store,
  name: 'sid',
  secret: SESSION_SECRET,
  resave: false,
  saveUninitialized: false,
  cookie: { httpOnly: true, sameSite: 'lax', secure: 'auto', maxAge: 30 * 60 * 1000 }
}))
app.use(passport.session())

/** @param {any} req */
const answer = req => ({ user: req.user?.id ?? null, visits: req.session.visits ?? 0 })

app.get('/', (/** @type {any} */ req, res) => {
  req.session.visits = (req.session.visits ?? 0) + 1
  res.json(answer(req))
})

// passport gives the session a new id, and what was in the old one is gone.
app.post('/login', express.urlencoded(), passport.authenticate('local'), (req, res) => {
  res.json(answer(req))
})

app.post('/logout', (/** @type {any} */ req, res, next) => {
  req.logout((/** @type {any} */ error) => error ? next(error) : res.json(answer(req)))
})

app.post('/logout-everywhere', async (/** @type {any} */ req, res) => {
  const ended = req.user === undefined ? 0 : await store.destroyOf(req.user.id)
  res.json({ ended })
})

const server = app.listen(Number(PORT), error => {
  if (error) throw error
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  console.log(`Listening on http://localhost:${port}`)
})
process.once('SIGTERM', () => server.close(() => store.close()))
