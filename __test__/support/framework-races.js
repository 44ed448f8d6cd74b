'use strict'

// Parallel requests, for any framework. A site answers with the session's data as JSON:
//
//   GET  /put?key=..&value=..[&gate=..]  sets a key; with `gate`, waits there before
//   GET  /take?key=..                    deletes a key
//   GET  /session                        reads the session
//   POST /logout                         destroys the session

const crypto = require('node:crypto')
const { once } = require('node:events')
const { Browser } = require('./site')

const FORMS = [['as a map', {}], ['as JSON', { format: 'json' }], ['encrypted', { encryptionKeys: [crypto.randomBytes(32)] }]]

/**
 * @param {string} name
 * @param {(options: object) => Promise<{ url: string, gates: { arrived (name: string): Promise<void>, open (name: string): void },
 *   store: import('../..').AerospikeStore }>} open a site
 */
function testRaces (name, open) {
  describe.each(FORMS)(`${name}, %s:`, (_, options) => {
    let site
    beforeAll(async () => { site = await open(options) })

    test('two requests that change different keys lose no change', async () => {
      const { url, gates } = site
      const browser = new Browser()
      await browser.get(`${url}/put?key=first&value=1`)
      await browser.get(`${url}/put?key=other&value=1`)
      const slow = browser.get(`${url}/put?key=slow&value=2&gate=merge`)
      await gates.arrived('merge')
      expect((await browser.get(`${url}/put?key=fast&value=3`)).body).toEqual({ first: '1', other: '1', fast: '3' })
      expect((await browser.get(`${url}/take?key=other`)).body).toEqual({ first: '1', fast: '3' })
      gates.open('merge')
      expect((await slow).status).toBe(200)
      expect((await browser.get(`${url}/session`)).body).toEqual({ first: '1', slow: '2', fast: '3' })
    })

    test('a session that is logged out during a request is not restored', async () => {
      const { url, gates, store } = site
      const browser = new Browser()
      await browser.get(`${url}/put?key=user&value=ada`)
      const stale = browser.copy()
      const slow = stale.get(`${url}/put?key=slow&value=2&gate=logout`)
      await gates.arrived('logout')
      await browser.post(`${url}/logout`)
      const gone = once(store, 'gone')
      gates.open('logout')
      // Only the store's listeners are notified.
      expect((await slow).status).toBe(200)
      expect(await gone).toEqual([{ digest: expect.stringMatching(/^[0-9a-f]{40}$/) }])
      expect((await stale.get(`${url}/session`)).body).toEqual({})
    })
  })
}

module.exports = { testRaces }
