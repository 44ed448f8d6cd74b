'use strict'

// express-openid-connect against an OpenID provider on this machine, which logs in whoever asks.

const crypto = require('node:crypto')
const http = require('node:http')
const { once } = require('node:events')
const { forkSite } = require('../support/fork-site')
const { freshSet, hosts, openStore } = require('../support/server')
const { Browser, openApp } = require('../support/site')

const EXAMPLE = 'examples/openid-connect/app.js'
const { privateKey, publicKey } = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 })
const CLIENT = 'shop'

let issuer, provider
/** By the code that was given for it: the nonce of a login. */
const logins = new Map()

function idToken (nonce) {
  const now = Math.floor(Date.now() / 1_000)
  const part = object => Buffer.from(JSON.stringify(object)).toString('base64url')
  const text = `${part({ alg: 'RS256', kid: 'one' })}.${part({ iss: issuer, sub: 'ada', aud: CLIENT, iat: now, exp: now + 600, nonce })}`
  return `${text}.${crypto.sign('sha256', Buffer.from(text), privateKey).toString('base64url')}`
}

const answers = {
  '/.well-known/openid-configuration': () => ({
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    jwks_uri: `${issuer}/keys`,
    response_types_supported: ['code'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256']
  }),
  '/keys': () => ({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'one', use: 'sig', alg: 'RS256' }] }),
  '/token': body => ({ access_token: 'token', token_type: 'Bearer', id_token: idToken(logins.get(body.get('code'))) })
}

beforeAll(async () => {
  provider = http.createServer(async (req, res) => {
    let body = ''
    for await (const chunk of req) body += chunk
    const answer = answers[req.url]?.(new URLSearchParams(body))
    res.writeHead(answer === undefined ? 404 : 200, { 'content-type': 'application/json', connection: 'close' })
    res.end(JSON.stringify(answer))
  }).listen(0, '127.0.0.1')
  await once(provider, 'listening')
  issuer = `http://127.0.0.1:${provider.address().port}`
})

afterAll(async () => {
  provider.close()
  await once(provider, 'close')
})

/** A login as the browser sees it, all but the provider's page. */
async function login (browser, url) {
  const { location } = await browser.get(`${url}/login`)
  const { searchParams } = new URL(location)
  const code = crypto.randomUUID()
  logins.set(code, searchParams.get('nonce'))
  return browser.get(`${url}/callback?code=${code}&state=${searchParams.get('state')}`)
}

/** On the port that BASE_URL names, since the library wants to know it before it listens. */
async function open (env) {
  const found = http.createServer().listen(0)
  await once(found, 'listening')
  const { port } = found.address()
  found.close()
  await once(found, 'close')
  return openApp(EXAMPLE, { ...env, PORT: String(port), ISSUER_BASE_URL: issuer, CLIENT_ID: CLIENT, CLIENT_SECRET: 'only for tests' })
}

test(`${EXAMPLE}: a login is kept in the store, survives a restart of the process, and ends with the logout`, async () => {
  const env = { AEROSPIKE_SET: freshSet() }
  const store = openStore({ set: env.AEROSPIKE_SET })
  const browser = new Browser()
  let app = await open(env)
  expect((await browser.get(`${app.url}/`)).body).toEqual({ user: null })
  expect(await store.length()).toBe(0)
  expect(await login(browser, app.url)).toMatchObject({ status: 302 })
  expect((await browser.get(`${app.url}/`)).body).toEqual({ user: 'ada' })
  const [session] = await store.all()
  expect(session.data.id_token).toEqual(expect.any(String))
  // As it gave it: milliseconds. The end is that of the session's rolling life.
  const left = session.cookie.expires - Date.now()
  expect(left).toBeGreaterThan(29 * 60_000)
  expect(left).toBeLessThanOrEqual(30 * 60_000)
  expect(await app.close()).toEqual({ code: 0, complaints: '' })

  app = await open(env)
  expect((await browser.get(`${app.url}/`)).body).toEqual({ user: 'ada' })
  const thief = browser.copy()
  expect(await browser.get(`${app.url}/logout`)).toMatchObject({ status: 302 })
  expect(await store.length()).toBe(0)
  expect((await thief.get(`${app.url}/`)).body).toEqual({ user: null })
  expect(await app.close()).toEqual({ code: 0, complaints: '' })
}, 30_000)

describe('express-openid-connect:', () => {
  let url, gates
  beforeAll(async () => {
    const options = { hosts: hosts(), set: freshSet() }
    openStore(options) // leaves it empty
    ;({ url, gates } = await forkSite('openid-site.js', { options, issuer }))
  })

  test('a request that changes nothing loses nothing of what another changed meanwhile', async () => {
    const browser = new Browser()
    await login(browser, url)
    const slow = browser.copy().get(`${url}/session?gate=slow`)
    await gates.arrived('slow')
    await browser.get(`${url}/put?key=news&value=1`)
    gates.open('slow')
    expect((await slow).body).toEqual({ user: 'ada' })
    expect((await browser.get(`${url}/session`)).body).toEqual({ user: 'ada', news: '1' })
  })

  test('a session that is logged out during a request does not come back', async () => {
    const browser = new Browser()
    await login(browser, url)
    const stale = browser.copy()
    const slow = stale.get(`${url}/session?gate=logout`)
    await gates.arrived('logout')
    expect(await browser.get(`${url}/logout`)).toMatchObject({ status: 302 })
    gates.open('logout')
    expect((await slow).body).toEqual({ user: 'ada' })
    expect((await stale.get(`${url}/session`)).body).toEqual({})
  })

  test('who has the cookie of a session that is gone can log in again', async () => {
    const browser = new Browser()
    await login(browser, url)
    const stale = browser.copy()
    await browser.get(`${url}/logout`)
    await login(stale, url)
    expect((await stale.get(`${url}/session`)).body).toEqual({ user: 'ada' })
  })
})
