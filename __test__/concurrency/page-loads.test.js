'use strict'

// Browsers that load many pages at once from three processes while their sessions are renewed. No page finds an empty session, no
// change is lost, and every browser is still logged in after the grace period.
//
// PAGE_LOADS=1000 runs as many browsers.

const crypto = require('node:crypto')
const { setTimeout: pass } = require('node:timers/promises')
const { forkSite } = require('../support/fork-site')
const { Visitor } = require('../support/http')
const { freshSet, hosts, openStore } = require('../support/server')

const BROWSERS = Number(process.env.PAGE_LOADS ?? 60)
const PROCESSES = 3
/** The pages that a browser loads at once: at first some, and with each response one more. */
const [PAGES, AT_ONCE] = [12, 6]
/** Browsers that load pages at the same time. */
const PARALLEL = 10
/** Seconds: longer than a page takes on a loaded machine, even with the time that it waits for its turn. */
const GRACE = 4

/** A browser, whose cookies change with each response as it arrives. */
class Browser {
  #tabs

  constructor (sites, n) {
    this.user = `u${n}`
    this.n = n
    this.#tabs = sites.map(({ url }) => new Visitor(url))
    for (const tab of this.#tabs) tab.cookies = this.#tabs[0].cookies
  }

  /** Returns the tab of a site. */
  at (n) {
    return this.#tabs[n % this.#tabs.length]
  }

  async logIn () {
    const { body } = await this.at(this.n).post(`/login/${this.user}`)
    this.loggedInAt = Date.now()
    this.firstId = body
  }

  /** Loads all pages. Returns their answers. */
  async loadPages () {
    this.changes = {}
    const answers = []
    let next = 0
    const loadNext = async () => {
      while (next < PAGES) {
        const page = next++
        const key = page % 2 === 0 ? undefined : `k${page}`
        if (key !== undefined) this.changes[key] = 1
        answers.push(await this.at(this.n + page).get(`/page?ms=${crypto.randomInt(30)}${key === undefined ? '' : `&key=${key}`}`))
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, loadNext))
    return answers
  }
}

/** Calls a function for each item, some at a time. */
async function inParallel (items, count, call) {
  const rest = [...items]
  await Promise.all(Array.from({ length: count }, async () => {
    for (let item = rest.shift(); item !== undefined; item = rest.shift()) await call(item)
  }))
}

describe.each([
  ['as a map', { format: 'map' }, {}],
  ['as JSON, with rolling cookies', { format: 'json' }, { rolling: true }],
  ['encrypted, with tombstones', { encryptionKeys: [crypto.randomBytes(32)], tombstones: true }, {}],
  ['with hashed ids, resaved', { hashIds: 'a secret of more than 16 bytes' }, { resave: true, saveUninitialized: true }]
])('sessions kept %s', (_, options, site) => {
  test('are renewed during page loads in three processes, and no browser notices', async () => {
    const set = freshSet()
    const store = openStore({ set, ...options })
    const config = { options: { hosts: hosts(), set, ...options }, every: GRACE, grace: GRACE, site }
    const sites = await Promise.all(Array.from({ length: PROCESSES }, () => forkSite('page-loads-site.js', config)))
    const events = []
    for (const { events: emitter } of sites) {
      for (const name of ['gone', 'warning']) emitter.on(name, value => events.push([name, value]))
    }
    const browsers = Array.from({ length: BROWSERS }, (_, n) => new Browser(sites, n))
    await inParallel(browsers, PARALLEL, browser => browser.logIn())
    // From now on each session is due.
    await pass(Math.max(...browsers.map(({ loggedInAt }) => loggedInAt)) + GRACE * 1_000 - Date.now())
    const renewed = { byOldId: 0, byNewId: 0 }
    await inParallel(browsers, PARALLEL, async browser => {
      for (const { status, body } of await browser.loadPages()) {
        expect([status, body.data?.user ?? body]).toStrictEqual([200, browser.user])
        renewed[body.id === browser.firstId ? 'byOldId' : 'byNewId']++
      }
    })
    expect(renewed.byOldId).toBeGreaterThan(0)
    expect(renewed.byNewId).toBeGreaterThan(BROWSERS)
    // After the grace period, only the new id is left.
    await pass(GRACE * 1_000)
    await inParallel(browsers, PARALLEL, async browser => {
      expect(await store.get(browser.firstId)).toBeNull()
      const { status, body } = await browser.at(browser.n + 1).get('/page?ms=0')
      expect([status, body.data]).toStrictEqual([200, { user: browser.user, ...browser.changes }])
      expect(body.id).not.toBe(browser.firstId)
    })
    expect(events).toStrictEqual([])
    await store.clear()
  }, 60_000 + BROWSERS * 200)
})
