'use strict'

// passport and passport-local in the example's process.

const { freshSet, openStore } = require('../support/server')
const { Browser, openApp, testExample } = require('../support/site')

const PASSWORDS = { ada: 'lovelace', grace: 'hopper' }
const login = (browser, url, name) => browser.post(`${url}/login`, { username: name, password: PASSWORDS[name] })

testExample('examples/passport/app.js', { login })

describe('passport on Express:', () => {
  const set = freshSet()
  const store = openStore({ set, user: 'passport.user' })
  store.on('warning', () => {}) // there is no index
  let url
  beforeAll(async () => { ({ url } = await openApp('examples/passport/app.js', { AEROSPIKE_SET: set })) })

  test('a wrong password creates no session', async () => {
    const browser = new Browser()
    expect((await browser.post(`${url}/login`, { username: 'ada', password: 'hopper' })).status).toBe(401)
    expect((await browser.get(`${url}/`)).body).toEqual({ user: null, visits: 1 })
  })

  test('a logout creates a new session without the user, and the old one is gone', async () => {
    const browser = new Browser()
    await login(browser, url, 'ada')
    const thief = browser.copy()
    await browser.post(`${url}/logout`)
    expect(await store.countOf('ada')).toBe(0)
    expect((await thief.get(`${url}/`)).body).toEqual({ user: null, visits: 1 })
  })

  test('logging a user out everywhere affects no other user', async () => {
    const [phone, laptop, other] = [new Browser(), new Browser(), new Browser()]
    await login(phone, url, 'ada')
    await login(laptop, url, 'ada')
    await login(other, url, 'grace')
    expect((await laptop.post(`${url}/logout-everywhere`)).body).toEqual({ ended: 2 })
    expect((await phone.get(`${url}/`)).body).toMatchObject({ user: null })
    expect((await laptop.get(`${url}/`)).body).toMatchObject({ user: null })
    expect((await other.get(`${url}/`)).body).toMatchObject({ user: 'grace' })
  })
})
