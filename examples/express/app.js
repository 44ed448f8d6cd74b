'use strict'

// A shop: log in by name, fill a cart, see where else you are logged in, and log out there. All data is in the sessions, and none
// in this process.

const path = require('node:path')
const express = require('express')
const session = require('express-session')
const { AerospikeStore, AerospikeSessionError, renewal } = require('aerospike-session')
const { noting, noteCost, lastCost } = require('./costs')
const { ForgedForm, newToken, ownFormsOnly, withToken } = require('./csrf')
const { devicesOf, logOut, newDevice } = require('./devices')
const { noteEvictions } = require('./evictions')
const { guardLogins } = require('./logins')
const { PRODUCTS, loginPage, shopPage, devicesPage, sessionPage, errorPage } = require('./views')

const { NODE_ENV, PORT = 8080, SESSION_SECRET, SESSION_SECONDS = 30 * 60, REMEMBER_SECONDS = 30 * 86_400, RENEW_SECONDS = 5 * 60, DEVICES = 3, LOCK_SECONDS = 60, AEROSPIKE_SET } = process.env

// Everyone can read this secret, so the app does not start with it in production.
const DEVELOPMENT_SECRET = 'a secret for development only: it is published'
const secret = SESSION_SECRET || DEVELOPMENT_SECRET
const isProduction = NODE_ENV === 'production'
if (isProduction && (secret === DEVELOPMENT_SECRET || secret.length < 32)) {
  throw new Error('In production, SESSION_SECRET must be set to at least 32 random characters, such as those of `openssl rand -hex 32`')
}

const store = noting(new AerospikeStore({
  // The hosts come from AEROSPIKE_HOSTS; without it, localhost:3000.
  set: AEROSPIKE_SET,
  // The lifetime of a session whose cookie ends with the browser. Otherwise `maxAge` of the cookie is the lifetime.
  ttl: Number(SESSION_SECONDS),
  // A page that changes nothing costs one operation, because the server extends the session when it is read (docs/expiry.md).
  touchOnRead: 80,
  user: session => session.user,
  // A login on one more device logs out the device that logged in first.
  maxSessionsPerUser: Number(DEVICES),
  // Seconds until an open page learns that another process has ended its session. This process reports it at once.
  watchInterval: 2,
  // The session's id is needed to log out one device. The cookie is signed, so the id alone does not give access.
  storeIds: true
}))

const evictions = noteEvictions(store)
const logins = guardLogins({ client: store.client, prefix: AEROSPIKE_SET, window: Number(LOCK_SECONDS) })

// With the index the sessions of a user are found without reading all sessions. Creates it again if a server has lost it.
store.on('up', () => store.createUserIndex().catch(error => {
  if (error.code !== 'CLOSED') console.error(error) // a shop that stops at once does not need it
}))

const COOKIE = 'shop.sid'
const app = express()

app.disable('x-powered-by')
// In production a proxy terminates TLS. Its X-Forwarded-Proto is trusted if it connects from this machine or a private network.
if (isProduction) app.set('trust proxy', 'loopback, uniquelocal')
app.use((req, res, next) => {
  res.set({
    'Content-Security-Policy': "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    'Referrer-Policy': 'same-origin',
    'X-Content-Type-Options': 'nosniff'
  })
  next()
})
app.use(express.static(path.join(__dirname, 'public')))
app.use((req, res, next) => {
  // The browser's Back button must not show pages after a logout.
  res.set('Cache-Control', 'no-store')
  next()
})
app.use(ownFormsOnly)
app.use(express.urlencoded({ extended: false }))
app.use(noteCost)
app.use(session({
  store,
  name: COOKIE,
  secret,
  resave: false,
  saveUninitialized: false,
  rolling: true, // every page renews the session and its cookie
  cookie: { httpOnly: true, sameSite: 'lax', secure: isProduction }
}))

// A new session id every few minutes. Pages that are loading with the old one lose nothing.
app.use(renewal({ every: Number(RENEW_SECONDS), grace: Math.min(30, Number(RENEW_SECONDS)) }))

/** @param {express.Request} req */
const isLoggedIn = req => req.session.user !== undefined && req.session.device !== undefined

/**
 * Calls a method of the session, which only supports callbacks.
 *
 * @param {express.Request} req
 * @param {'regenerate' | 'save' | 'destroy'} method
 * @returns {Promise<void>}
 */
const call = (req, method) => new Promise((resolve, reject) => {
  req.session[method]((/** @type {unknown} */ error) => error ? reject(error) : resolve())
})

/**
 * Redirects after saving the session, because a browser may follow a redirect before the session is saved.
 *
 * @param {express.Request} req
 * @param {express.Response} res
 * @param {string} where
 */
async function saveAndGo (req, res, where) {
  await call(req, 'save')
  res.redirect(303, where)
}

/**
 * @param {express.Request} req
 * @param {express.Response} res
 */
async function logOutHere (req, res) {
  await call(req, 'destroy')
  res.clearCookie(COOKIE).redirect(303, '/')
}

/**
 * The data that every page for customers shows.
 * @param {express.Request} req
 */
function frame (req) {
  const { user = '', csrf = '', notice, cookie } = req.session
  delete req.session.notice // shown once
  const left = cookie.originalMaxAge ?? Number(SESSION_SECONDS) * 1_000
  return { path: req.path, user, csrf, notice, left, cost: lastCost(req) }
}

/** @type {express.RequestHandler} */
const customersOnly = (req, res, next) => {
  if (!isLoggedIn(req)) return res.redirect(303, '/?ended')
  // Not on every request, because a request without changes is only a touch.
  if (Date.now() - (req.session.seen ?? 0) > 60_000) req.session.seen = Date.now()
  next()
}

app.get('/', (req, res, next) => {
  if (isLoggedIn(req)) return next()
  const cookie = new RegExp(`(?:^|; )${COOKIE}=([^;]*)`).exec(req.get('Cookie') ?? '')?.[1]
  const hasEnded = cookie !== undefined || 'ended' in req.query
  evictions.wasEvicted(cookie).then(wasEvicted => {
    res.clearCookie(COOKIE).send(loginPage(wasEvicted ? { devices: Number(DEVICES) } : hasEnded ? 'ended' : undefined))
  }, next)
})

// Tells an open page when its session ends: it was logged out on another device, or its time is up.
/** @type {Set<express.Response>} */
const listeners = new Set()

/**
 * Begins a stream of events. A browser that loses it opens it again after so many milliseconds.
 * @param {express.Response} res
 */
function beginEvents (res) {
  res.set({ 'Content-Type': 'text/event-stream', 'X-Accel-Buffering': 'no' })
  res.write('retry: 5000\n\n')
}

app.get('/events', (req, res) => {
  const end = () => res.end('event: ended\ndata:\n\n')
  beginEvents(res)
  if (!isLoggedIn(req)) return end()
  const { signal, stop } = store.watch(req.sessionID)
  signal.addEventListener('abort', end)
  listeners.add(res)
  res.once('close', () => {
    stop()
    listeners.delete(res)
  })
})

app.get('/', customersOnly, (req, res) => {
  res.send(shopPage(frame(req), req.session.cart ?? {}))
})

app.post('/login', async (req, res) => {
  // Whole characters, because half an emoji is not valid text.
  const user = Array.from(String(req.body?.name ?? '').trim()).slice(0, 40).join('')
  if (user === '') return res.redirect(303, '/')
  const { ok, retryAfter } = await logins.check(user, req.body.password, req.ip ?? '')
  if (retryAfter > 0) return res.status(429).set('Retry-After', String(retryAfter)).send(loginPage({ retryAfter }))
  if (!ok) return res.status(401).send(loginPage('wrong'))

  // A new id at every login protects against session fixation.
  await call(req, 'regenerate')
  const now = Date.now()
  Object.assign(req.session, { user, cart: {}, device: newDevice(req), loggedIn: now, seen: now, csrf: newToken() })
  // Without maxAge the browser forgets the cookie when it closes.
  if (req.body.remember === 'on') req.session.cookie.maxAge = Number(REMEMBER_SECONDS) * 1_000
  await saveAndGo(req, res, '/')
})

app.post('/cart/add', customersOnly, withToken, async (req, res) => {
  const { item } = req.body
  const { cart = {} } = req.session
  if (!Object.hasOwn(PRODUCTS, item)) return res.status(400).send(errorPage('There is no such thing in this shop.'))
  req.session.cart = { ...cart, [item]: (cart[item] ?? 0) + 1 }
  await saveAndGo(req, res, `/#${item}`)
})

app.post('/cart/remove', customersOnly, withToken, async (req, res) => {
  delete req.session.cart?.[req.body.item]
  await saveAndGo(req, res, '/#cart')
})

app.get('/devices', customersOnly, async (req, res) => {
  res.send(devicesPage(frame(req), await devicesOf(store, req)))
})

app.post('/devices/logout', customersOnly, withToken, async (req, res) => {
  const { user = '', device } = req.session
  const { device: id } = req.body
  if (id === device?.id) return logOutHere(req, res)
  const name = await logOut(store, user, id)
  req.session.notice = name === undefined ? 'That device was logged out already.' : `${name} is logged out.`
  await saveAndGo(req, res, '/devices')
})

app.post('/devices/logout-others', customersOnly, withToken, async (req, res) => {
  const count = await store.destroyOf(req.session.user ?? '', { except: req.sessionID })
  req.session.notice = count === 1 ? 'One other device is logged out.' : `${count} other devices are logged out.`
  await saveAndGo(req, res, '/devices')
})

app.get('/session', customersOnly, (req, res) => {
  res.send(sessionPage(frame(req), req.session))
})

app.post('/logout', customersOnly, withToken, logOutHere)

app.use((req, res) => {
  res.status(404).send(errorPage('There is no such page.'))
})

/**
 * @param {any} error
 * @returns {[number, string]}
 */
function explain (error) {
  if (error instanceof ForgedForm) return [403, 'That form is not of this shop, or out of date. Open the page again and retry.']
  if (error instanceof AerospikeSessionError) return [503, 'Sessions cannot be reached just now. Try again in a moment.']
  return [error.status ?? 500, 'That did not work.']
}

/** @type {express.ErrorRequestHandler} */
const answerError = (error, req, res, next) => {
  const [status, text] = explain(error)
  if (req.path === '/events' && status === 503 && !res.headersSent) {
    beginEvents(res)
    return res.end()
  }
  if (status >= 500) console.error(error)
  if (res.headersSent) return next(error)
  res.status(status).send(errorPage(text))
}
app.use(answerError)

const server = app.listen(Number(PORT), error => {
  if (error) throw error
  const address = /** @type {import('node:net').AddressInfo} */ (server.address())
  console.log(`Shop: http://localhost:${address.port}`)
})

function stop () {
  // The browsers connect again, maybe to another process.
  for (const res of listeners) res.end()
  server.close(() => store.close())
  // Browsers keep spare connections open. They are not waited for.
  setTimeout(() => server.closeAllConnections(), 2_000).unref()
}
process.once('SIGINT', stop)
process.once('SIGTERM', stop)
