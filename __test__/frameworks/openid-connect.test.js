'use strict'

// express-openid-connect with an OpenID provider on this machine, which accepts every login.

const http = require('node:http')
const { once } = require('node:events')
const { forkSite } = require('../support/fork-site')
const { openProvider } = require('../support/openid-provider')
const { freshSet, hosts, openStore } = require('../support/server')
const { Browser, PRODUCTION_SECRET, openApp } = require('../support/site')

const EXAMPLE = 'examples/openid-connect/app.js'

let provider
beforeAll(async () => { provider = await openProvider() })
afterAll(() => provider.close())

const login = (browser, url) => provider.login(browser, url)

/** Uses the port in BASE_URL, because the library needs it before the server listens. */
async function open (env) {
  const found = http.createServer().listen(0)
  await once(found, 'listening')
  const { port } = found.address()
  found.close()
  await once(found, 'close')
  return openApp(EXAMPLE, { PORT: String(port), ...provider.env, ...env })
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
  // Milliseconds, as the library set it. The expiry is that of the session's rolling lifetime.
  const left = session.cookie.expires - Date.now()
  expect(left).toBeGreaterThan(29 * 60_000)
  expect(left).toBeLessThanOrEqual(30 * 60_000)
  expect(await app.close()).toEqual({ code: 0, errorOutput: '' })

  app = await open(env)
  expect((await browser.get(`${app.url}/`)).body).toEqual({ user: 'ada' })
  const thief = browser.copy()
  expect(await browser.get(`${app.url}/logout`)).toMatchObject({ status: 302 })
  expect(await store.length()).toBe(0)
  expect((await thief.get(`${app.url}/`)).body).toEqual({ user: null })
  expect(await app.close()).toEqual({ code: 0, errorOutput: '' })
}, 30_000)

test(`${EXAMPLE}: a cookie that is not signed does not open a session, even if it names a stored one`, async () => {
  const env = { AEROSPIKE_SET: freshSet() }
  const store = openStore({ set: env.AEROSPIKE_SET })
  const app = await open(env)
  const browser = new Browser()
  await login(browser, app.url)
  const [session] = await store.all()
  await store.set('KNOWN-ID', session)
  const userOf = async cookie => {
    const visitor = browser.copy()
    visitor.cookies.set('sid', cookie)
    return (await visitor.get(`${app.url}/`)).body.user
  }
  const signed = decodeURIComponent(browser.cookies.get('sid'))
  const [id, signature] = signed.split('.')
  expect(await userOf(signed)).toBe('ada')
  expect(await userOf('KNOWN-ID')).toBeNull()
  expect(await userOf(id)).toBeNull()
  // A visitor's own signature is not valid for another id.
  expect(await userOf(`KNOWN-ID.${signature}`)).toBeNull()
  expect((await app.close()).code).toBe(0)
}, 30_000)

describe('in production', () => {
  const production = (env = {}) => ({
    NODE_ENV: 'production', AEROSPIKE_SET: freshSet(), SESSION_SECRET: PRODUCTION_SECRET, BASE_URL: 'https://shop.example', ...env
  })

  test.each([undefined, '', 'http://shop.example'])(`${EXAMPLE} does not start when BASE_URL is %j`, async BASE_URL => {
    await expect(open(production({ BASE_URL }))).rejects.toThrow(/ended with 1: [^]*^[Ee]rror: In production, BASE_URL must be set to the https:\/\/ address of this app/m)
  })

  test(`${EXAMPLE} does not start without CLIENT_SECRET`, async () => {
    await expect(open(production({ CLIENT_SECRET: '' }))).rejects.toThrow(/ended with 1: [^]*^[Ee]rror: In production, CLIENT_SECRET must be set/m)
  })

  test(`${EXAMPLE} sends a session cookie that is Secure, HttpOnly and signed`, async () => {
    const env = production()
    const store = openStore({ set: env.AEROSPIKE_SET })
    const app = await open(env)
    const browser = new Browser()
    expect(await login(browser, app.url)).toMatchObject({ status: 302 })
    expect(await store.length()).toBe(1)
    expect(browser.attributes.get('sid')).toMatch(/; HttpOnly; Secure/)
    expect(decodeURIComponent(browser.cookies.get('sid'))).toMatch(/^[\w-]+\.[\w-]+$/)
    expect((await app.close()).code).toBe(0)
  }, 30_000)
})

describe('express-openid-connect:', () => {
  let url, gates
  beforeAll(async () => {
    const options = { hosts: hosts(), set: freshSet() }
    openStore(options) // removes the sessions afterwards
    ;({ url, gates } = await forkSite('openid-site.js', { options, issuer: provider.issuer }))
  })

  test("a request that changes nothing does not overwrite another request's change", async () => {
    const browser = new Browser()
    await login(browser, url)
    const slow = browser.copy().get(`${url}/session?gate=slow`)
    await gates.arrived('slow')
    await browser.get(`${url}/put?key=news&value=1`)
    gates.open('slow')
    expect((await slow).body).toEqual({ user: 'ada' })
    expect((await browser.get(`${url}/session`)).body).toEqual({ user: 'ada', news: '1' })
  })

  test('a session that is logged out during a request is not restored', async () => {
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

  test('a visitor with the cookie of an ended session can log in again', async () => {
    const browser = new Browser()
    await login(browser, url)
    const stale = browser.copy()
    await browser.get(`${url}/logout`)
    await login(stale, url)
    expect((await stale.get(`${url}/session`)).body).toEqual({ user: 'ada' })
  })
})
