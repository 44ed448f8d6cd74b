'use strict'

// Renewals of session ids, the limit of a user's sessions, and watches, for each framework: over HTTP, in two processes.

const { setTimeout: pass } = require('node:timers/promises')
const { forkSite } = require('./fork-site')
const { freshSet, hosts, openStore } = require('./server')
const { Browser } = require('./site')

/** Seconds. */
const EVERY = 2

const range = count => Array.from({ length: count }, (_, n) => n)

/**
 * @param {string} framework
 * @param {string} file the site, in this folder
 * @param {{ rolling?: any, config?: any }} [more] `rolling`: the options with which each response sets the cookie
 */
function testRenewals (framework, file, { rolling, config } = {}) {
  /** Opens two sites with the same sessions. */
  async function openTwo (options = {}, { renewing, plugin } = {}) {
    const all = { set: freshSet(), watchInterval: 0.2, ...options }
    const records = openStore(all)
    const sites = await Promise.all(range(2).map(() => forkSite(file, { ...config, options: { hosts: hosts(), ...all }, renewing, plugin })))
    const warnings = []
    return { records, warnings, sites, urls: sites.map(({ url }) => url) }
  }
  const cookies = browser => JSON.stringify([...browser.cookies].sort())
  const data = ({ status, body }) => [status, body]

  describe(`${framework}:`, () => {
    describe.each([
      ['maps', {}],
      ['JSON, with a prefix', { format: 'json', prefix: 'shop:' }],
      ['hashed ids', { hashIds: 'a secret of more than 16 bytes' }]
    ])('sessions as %s', (_, options) => {
      let pair
      beforeAll(async () => { pair = await openTwo(options) })

      test('are renewed: the browser has a new id, and the old one leads to the session', async () => {
        const { records, urls: [url, other] } = pair
        const browser = new Browser()
        await browser.get(`${url}/put?key=user&value=ada`)
        const [late, before] = [browser.copy(), cookies(browser)]
        expect((await browser.get(`${url}/renew`)).body).toEqual({ renewed: true, isNew: true, user: 'ada' })
        expect(cookies(browser)).not.toBe(before)
        await browser.get(`${other}/put?key=a&value=1`)
        expect(data(await late.get(`${other}/put?key=b&value=2`))).toEqual([200, { user: 'ada', a: '1', b: '2' }])
        expect(data(await browser.get(`${url}/session`))).toEqual([200, { user: 'ada', a: '1', b: '2' }])
        expect(await records.length()).toBe(1)
        // A request with an old id renews nothing.
        expect((await late.get(`${url}/renew`)).body).toMatchObject({ renewed: false, isNew: false, user: 'ada' })
        expect((await late.get(`${url}/session`)).body).toEqual({ user: 'ada', a: '1', b: '2' })
        await records.clear()
      })

      test.each(['old', 'new'])('are renewed, and end with a logout through the %s id', async which => {
        const { records, urls: [url, other] } = pair
        const browser = new Browser()
        await browser.get(`${url}/put?key=user&value=ada`)
        const late = browser.copy()
        await browser.get(`${url}/renew`)
        const tabs = which === 'old' ? [late.copy(), browser.copy()] : [browser.copy(), late.copy()]
        await tabs[0].post(`${other}/logout`)
        for (const tab of [late, browser]) expect(data(await tab.get(`${url}/session`))).toEqual([200, {}])
        expect(await records.length()).toBe(0)
      })

      test('keep what a slow request changes that has loaded them before', async () => {
        const { records, sites: [site], urls: [url, other] } = pair
        const browser = new Browser()
        await browser.get(`${url}/put?key=user&value=ada`)
        const slow = browser.copy()
        const answer = slow.get(`${url}/put?key=slow&value=1&gate=slow`)
        await site.gates.arrived('slow')
        await browser.get(`${other}/renew`)
        await browser.get(`${other}/put?key=a&value=1`)
        site.gates.open('slow')
        expect((await answer).status).toBe(200)
        expect((await browser.get(`${url}/session`)).body).toEqual({ user: 'ada', a: '1', slow: '1' })
        await records.clear()
      })
    })

    test('the old id leads nowhere after the grace period', async () => {
      const { records, urls: [url] } = await openTwo()
      const browser = new Browser()
      await browser.get(`${url}/put?key=user&value=ada`)
      const late = browser.copy()
      await browser.get(`${url}/renew?grace=0.3`)
      await pass(400)
      expect((await late.get(`${url}/session`)).body).toEqual({})
      expect((await browser.get(`${url}/session`)).body).toEqual({ user: 'ada' })
      expect(await records.length()).toBe(1)
    })

    test('wrong options and a new session', async () => {
      const { urls: [url] } = await openTwo()
      const browser = new Browser()
      expect((await browser.get(`${url}/renew`)).body).toMatchObject({ renewed: false, isNew: false })
      await browser.get(`${url}/put?key=user&value=ada`)
      expect((await browser.get(`${url}/renew?grace=-1`)).status).toBe(500)
      expect((await browser.get(`${url}/session`)).body).toEqual({ user: 'ada' })
    })

    test.each([['without', {}], ['with', rolling]])('sessions are renewed during page loads, %s rolling cookies, and no browser notices', async (_, plugin) => {
      const { records, urls } = await openTwo({}, { renewing: { every: EVERY, grace: EVERY }, plugin })
      const browsers = range(8).map(() => new Browser())
      await Promise.all(browsers.map((browser, n) => browser.get(`${urls[n % 2]}/put?key=user&value=u${n}`)))
      const ids = browsers.map(cookies)
      await pass(EVERY * 1_000)
      await Promise.all(browsers.map(async (browser, n) => {
        await Promise.all(range(8).map(async page => {
          const path = page % 2 ? 'session' : `put?key=k${page}&value=1`
          const { status, body } = await browser.get(`${urls[(n + page) % 2]}/${path}`)
          expect([status, body.user]).toEqual([200, `u${n}`])
        }))
      }))
      await pass(EVERY * 1_000)
      for (const [n, browser] of browsers.entries()) {
        expect(cookies(browser)).not.toBe(ids[n])
        expect(data(await browser.get(`${urls[n % 2]}/session`))).toEqual([200, { user: `u${n}`, k0: '1', k2: '1', k4: '1', k6: '1' }])
      }
      expect(await records.length()).toBe(browsers.length)
    }, 60_000)

    test('a watch follows a renewal, and ends with the logout in another process', async () => {
      const { urls: [url, other] } = await openTwo()
      const browser = new Browser()
      await browser.get(`${url}/put?key=user&value=ada`)
      let ended
      const watch = browser.copy().get(`${url}/watch`).then(answer => { ended = answer })
      await pass(300)
      await browser.get(`${other}/renew?grace=0.2`)
      await pass(800)
      expect(ended).toBeUndefined()
      await browser.post(`${other}/logout`)
      await watch
      expect(ended.body).toMatchObject({ reason: 'gone' })
    })

    test('a login ends the oldest session beyond the limit, whose watch reports it', async () => {
      const { records, urls: [url, other] } = await openTwo({ user: 'user', maxSessionsPerUser: 2 })
      await records.createUserIndex()
      const browsers = range(3).map(() => new Browser())
      await browsers[0].get(`${url}/put?key=user&value=ada`)
      const watch = browsers[0].copy().get(`${url}/watch`)
      await browsers[0].get(`${url}/renew`)
      for (const browser of browsers.slice(1)) {
        await pass(3)
        await browser.get(`${other}/put?key=user&value=ada`)
      }
      expect((await watch).body).toMatchObject({ reason: 'gone' })
      const found = await Promise.all(browsers.map(async browser => (await browser.get(`${url}/session`)).body))
      expect(found).toEqual([{}, { user: 'ada' }, { user: 'ada' }])
    })
  })
}

module.exports = { testRenewals }
