'use strict'

const express = require('express')
const { auth } = require('express-openid-connect')
const { AerospikeStore } = require('aerospike-session')

const {
  AEROSPIKE_SET, BASE_URL, CLIENT_ID, CLIENT_SECRET, ISSUER_BASE_URL, PORT = 8080, SESSION_SECRET = 'a secret of 32 characters or more'
} = process.env

// The hosts come from AEROSPIKE_HOSTS; without it, localhost:3000.
const store = new AerospikeStore({ set: AEROSPIKE_SET })
const app = express()
app.use(auth({
  issuerBaseURL: ISSUER_BASE_URL,
  baseURL: BASE_URL ?? `http://localhost:${PORT}`,
  clientID: CLIENT_ID,
  clientSecret: CLIENT_SECRET,
  secret: SESSION_SECRET,
  authRequired: false,
  authorizationParams: { response_type: 'code' },
  session: { name: 'sid', store: /** @type {any} */ (store), rollingDuration: 30 * 60 }
}))

// GET /login and GET /logout are there already.
app.get('/', (req, res) => {
  res.json({ user: req.oidc.user?.sub ?? null })
})

const server = app.listen(Number(PORT), error => {
  if (error) throw error
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  console.log(`Listening on http://localhost:${port}`)
})
process.once('SIGTERM', () => server.close(() => store.close()))
