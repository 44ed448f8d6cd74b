'use strict'

// A shop: log in by name, fill a cart. All of it is kept in the session, none of it in this process.

const path = require('node:path')
const express = require('express')
const session = require('express-session')
const { AerospikeStore, AerospikeSessionError } = require('aerospike-session')
const { PRODUCTS, loginPage, shopPage, sessionPage, errorPage } = require('./views')

const { NODE_ENV, PORT = 8080, SESSION_SECRET, AEROSPIKE_SET } = process.env
if (NODE_ENV === 'production' && !SESSION_SECRET) throw new Error('SESSION_SECRET must be set in production')

// The hosts come from AEROSPIKE_HOSTS; without it, localhost:3000.
const store = new AerospikeStore({ set: AEROSPIKE_SET })
const app = express()

app.disable('x-powered-by')
app.use((req, res, next) => {
  res.set('Content-Security-Policy', "default-src 'self'; img-src data:; frame-ancestors 'none'")
  next()
})
app.use(express.static(path.join(__dirname, 'public')))
app.use(express.urlencoded({ extended: false }))
app.use(session({
  store,
  name: 'shop.sid',
  secret: SESSION_SECRET || 'a secret for development only',
  resave: false,
  saveUninitialized: false,
  rolling: true, // every page gives the session its full time again
  cookie: { httpOnly: true, sameSite: 'lax', secure: 'auto', maxAge: 30 * 60 * 1000 }
}))

/** @type {express.RequestHandler} */
const customersOnly = (req, res, next) => req.session.user === undefined ? res.redirect(303, '/') : next()

/**
 * To the shop, but saved first: a browser may follow a redirect before the session's save is done.
 * @type {express.RequestHandler}
 */
const saveAndGo = (req, res, next) => req.session.save(error => error ? next(error) : res.redirect(303, '/'))

app.get('/', (req, res) => {
  res.send(req.session.user === undefined ? loginPage() : shopPage(req.session))
})

app.post('/login', (req, res, next) => {
  const user = String(req.body?.name ?? '').trim().slice(0, 40)
  if (user === '') return res.redirect(303, '/')
  // A new id at every login: one that somebody planted in the browser before is worth nothing.
  req.session.regenerate(error => {
    if (error) return next(error)
    Object.assign(req.session, { user, cart: {}, loggedIn: new Date() })
    saveAndGo(req, res, next)
  })
})

app.post('/cart/add', customersOnly, (req, res, next) => {
  const { item } = req.body ?? {}
  const { cart = {} } = req.session
  if (!Object.hasOwn(PRODUCTS, item)) return res.status(400).send(errorPage('There is no such thing in this shop.'))
  req.session.cart = { ...cart, [item]: (cart[item] ?? 0) + 1 }
  saveAndGo(req, res, next)
})

app.post('/cart/remove', customersOnly, (req, res, next) => {
  delete req.session.cart?.[req.body?.item]
  saveAndGo(req, res, next)
})

app.get('/session', customersOnly, (req, res) => {
  res.send(sessionPage(req.session))
})

app.post('/logout', (req, res, next) => {
  req.session.destroy(error => {
    if (error) return next(error)
    res.clearCookie('shop.sid').redirect(303, '/')
  })
})

app.use((req, res) => {
  res.status(404).send(errorPage('There is no such page.'))
})

/** @type {express.ErrorRequestHandler} */
const answerError = (error, req, res, next) => {
  const away = error instanceof AerospikeSessionError
  const status = away ? 503 : error.status ?? 500
  if (status >= 500) console.error(error)
  if (res.headersSent) return next(error)
  res.status(status).send(errorPage(away ? 'Sessions cannot be reached just now. Try again in a moment.' : 'That did not work.'))
}
app.use(answerError)

const server = app.listen(Number(PORT), error => {
  if (error) throw error
  const address = /** @type {import('node:net').AddressInfo} */ (server.address())
  console.log(`Shop: http://localhost:${address.port}`)
})

function stop () {
  server.close(() => store.close())
  // Browsers keep spare connections open: they are not waited for.
  setTimeout(() => server.closeAllConnections(), 2_000).unref()
}
process.once('SIGINT', stop)
process.once('SIGTERM', stop)
