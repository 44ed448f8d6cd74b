'use strict'

const express = require('express')
const { auth } = require('express-openid-connect')
const { AerospikeStore } = require('aerospike-session')

const { AEROSPIKE_SET, BASE_URL, CLIENT_ID, CLIENT_SECRET, ISSUER_BASE_URL, NODE_ENV, PORT = 8080, SESSION_SECRET } = process.env

// Everyone can read this secret, so the app does not start with it in production.
const DEVELOPMENT_SECRET = 'a secret for development only: it is published'
const secret = SESSION_SECRET || DEVELOPMENT_SECRET
const isProduction = NODE_ENV === 'production'
if (isProduction && (secret === DEVELOPMENT_SECRET || secret.length < 32)) {
  throw new Error('In production, SESSION_SECRET must be set to at least 32 random characters, such as those of `openssl rand -hex 32`')
}
if (isProduction && !CLIENT_SECRET) throw new Error('In production, CLIENT_SECRET must be set to the secret that the provider gave this app')
// The library marks its cookies Secure if this address is https.
if (isProduction && !BASE_URL?.startsWith('https://')) throw new Error('In production, BASE_URL must be set to the https:// address of this app')

// The hosts come from AEROSPIKE_HOSTS; without it, localhost:3000.
const store = new AerospikeStore({ set: AEROSPIKE_SET })
const app = express()
// In production a proxy terminates TLS. Its X-Forwarded-Proto is trusted if it connects from this machine or a private network.
if (isProduction) app.set('trust proxy', 'loopback, uniquelocal')
app.use(auth({
  issuerBaseURL: ISSUER_BASE_URL,
  baseURL: BASE_URL || `http://localhost:${PORT}`,
  clientID: CLIENT_ID,
  clientSecret: CLIENT_SECRET,
  secret,
  authRequired: false,
  authorizationParams: { response_type: 'code' },
  session: {
    name: 'sid',
    store: /** @type {any} */ (store),
    rollingDuration: 30 * 60,
    // By default the cookie is the plain session id. Then visitors choose which record is read, and anyone who finds an
    // id in a log or a database dump can use that session. A signature proves that this app issued the id.
    signSessionStoreCookie: true
  }
}))

// The library adds GET /login and GET /logout.
app.get('/', (req, res) => {
  res.json({ user: req.oidc.user?.sub ?? null })
})

const server = app.listen(Number(PORT), error => {
  if (error) throw error
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  console.log(`Listening on http://localhost:${port}`)
})
process.once('SIGTERM', () => server.close(() => store.close()))
