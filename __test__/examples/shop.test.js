'use strict'

// The example shop over HTTP. Tests that need a browser are in shop-in-browser.test.js.

const fs = require('node:fs/promises')
const http = require('node:http')
const os = require('node:os')
const path = require('node:path')
const { setTimeout: pass } = require('node:timers/promises')
const { AerospikeStore } = require('../..')
const { openShop: open, launch } = require('../support/shop')
const { OfficialClient } = require('../support/official-client')
const { freshSet, hosts, openStore } = require('../support/server')

const set = freshSet()
const store = openStore({ set, user: 'user', storeIds: true }) // removes the shop's sessions afterwards
store.on('warning', () => {})

const openShop = (env = {}) => open({ AEROSPIKE_HOSTS: hosts(), AEROSPIKE_SET: set, ...env })

afterAll(async () => {
  // Indexes of a dev server go with it, but a cluster keeps them.
  if (!process.env.AEROSPIKE_HOSTS) return
  const official = await OfficialClient.connect(hosts())
  for (const name of await official.indexesOf(set)) await official.removeIndex('test', name)
  await official.close()
})

/** A browser: keeps its cookies for any port of the shop, sends forms with the token of the page, and follows redirects. */
class Browser {
  cookies = new Map()
  token = ''

  constructor (headers = {}) {
    this.headers = headers
  }

  async ask (url, form) {
    const response = await fetch(url, {
      method: form === undefined ? 'GET' : 'POST',
      body: form && new URLSearchParams({ csrf: this.token, ...form }),
      headers: { ...this.headers, cookie: [...this.cookies].map(pair => pair.join('=')).join('; ') },
      redirect: 'manual'
    })
    for (const line of response.headers.getSetCookie()) {
      const [, name, value, attributes] = /^([^=]+)=([^;]*)(.*)$/.exec(line)
      const expires = /; Expires=([^;]+)/.exec(attributes)
      if (expires && new Date(expires[1]) < new Date()) this.cookies.delete(name)
      else this.cookies.set(name, value)
    }
    const body = await response.text()
    this.token = /name="csrf" value="([^"]+)"/.exec(body)?.[1] ?? this.token
    const location = response.headers.get('location')
    if (location !== null) return this.ask(new URL(location, url))
    return { status: response.status, headers: response.headers, body, cookies: response.headers.getSetCookie() }
  }

  /** Returns the id of the session. */
  get sid () {
    return /^s:([^.]+)\./.exec(decodeURIComponent(this.cookies.get('shop.sid')))[1]
  }
}

/** Returns the devices on a page: `[name, id]`. */
const devicesIn = body => [...body.matchAll(/name="device" value="([^"]+)" aria-label="Log out ([^"]+)"/g)].map(([, id, name]) => [name, id])

const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0'
const IPHONE = 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1'

/** Returns a browser that is logged in. */
async function visitor (shop, name, { userAgent = FIREFOX, ...form } = {}) {
  const browser = new Browser({ 'user-agent': userAgent })
  const page = await browser.ask(`${shop.url}/login`, { name, ...form })
  expect(page.body).toContain('cart</h1>')
  return Object.assign(browser, { page })
}

test('a visitor logs in, fills a cart, is still logged in after a restart of the shop, and logs out', async () => {
  const browser = new Browser()
  let shop = await openShop()
  expect((await browser.ask(shop.url)).body).toContain('Log in')
  expect(browser.cookies.size).toBe(0)

  const welcome = await browser.ask(`${shop.url}/login`, { name: 'Ada' })
  expect(welcome.body).toContain('Ada’s cart')
  expect(welcome.body).toContain('Nothing in it yet')
  await browser.ask(`${shop.url}/cart/add`, { item: 'honey' })
  await browser.ask(`${shop.url}/cart/add`, { item: 'bread' })
  expect((await browser.ask(`${shop.url}/cart/add`, { item: 'bread' })).body).toContain('2 × Rye bread')

  expect(await shop.close()).toEqual({ code: 0, errorOutput: '' })
  shop = await openShop()

  const back = await browser.ask(shop.url)
  expect(back.body).toContain('Ada’s cart')
  expect(back.body).toContain('1 × Forest honey')
  expect(back.body).toContain('2 × Rye bread')
  expect(back.body).toContain('€ 16.20')
  const emptier = await browser.ask(`${shop.url}/cart/remove`, { item: 'bread' })
  expect(emptier.body).toContain('1 × Forest honey')
  expect(emptier.body).not.toContain('2 × Rye bread')

  const thief = new Browser()
  thief.cookies = new Map(browser.cookies)
  const farewell = await browser.ask(`${shop.url}/logout`, {})
  expect(farewell.body).toContain('Log in')
  expect(farewell.body).not.toContain('no longer logged in')
  expect(browser.cookies.size).toBe(0)
  expect((await thief.ask(shop.url)).body).toContain('You are no longer logged in')
  // The message is shown once, because the cookie of the ended session is removed.
  expect(thief.cookies.size).toBe(0)
  expect((await shop.close()).code).toBe(0)
})

describe('in a shop', () => {
  let shop
  beforeAll(async () => { shop = await openShop() })
  afterAll(() => shop.close())

  test("the session page shows the session's data and lifetime, but not the token of its forms", async () => {
    const browser = await visitor(shop, 'Grace')
    const { body } = await browser.ask(`${shop.url}/session`)
    expect(body).toContain('&#34;user&#34;: &#34;Grace&#34;')
    expect(body).toContain('full 30 min 0 s again')
    expect(body).not.toContain('&#34;csrf&#34;')
    const [, minutes, seconds] = /data-left="\d+">(\d+) min (\d+) s/.exec(body)
    expect(Number(minutes) * 60 + Number(seconds)).toBe(30 * 60)
  })

  test('a login creates a new session id, in a cookie that scripts cannot read', async () => {
    const browser = await visitor(shop, 'Ada')
    const before = browser.cookies.get('shop.sid')
    const { cookies } = await browser.ask(`${shop.url}/login`, { name: 'Grace' })
    expect(browser.cookies.get('shop.sid')).not.toBe(before)
    expect(cookies.join()).toMatch(/HttpOnly; SameSite=Lax/)
    const earlier = new Browser()
    earlier.cookies.set('shop.sid', before)
    expect((await earlier.ask(shop.url)).body).toContain('Log in')
  })

  test('a cookie ends with the browser, or is remembered for 30 days', async () => {
    const { page } = await visitor(shop, 'Ada')
    expect(page.cookies.join()).not.toMatch(/Expires|Max-Age/i)
    const remembered = await visitor(shop, 'Ada', { remember: 'on' })
    const expires = Date.parse(/Expires=([^;]+)/.exec(remembered.page.cookies.join())[1])
    expect(expires - Date.now()).toBeGreaterThan(29.9 * 86_400_000)
    expect(expires - Date.now()).toBeLessThan(30.1 * 86_400_000)
    expect(remembered.page.body).toContain('>30 days<')
    const kept = await store.get(remembered.sid)
    expect(Date.parse(kept.cookie.expires) - Date.now()).toBeGreaterThan(29.9 * 86_400_000)
  })

  test('a name is shown as text, never as markup, and is cut between characters', async () => {
    const { page: { body } } = await visitor(shop, '<img src=x>"\'&')
    expect(body).toContain('&#60;img src=x&#62;&#34;&#39;&#38;')
    expect(body).not.toContain('<img src=x')
    const long = await visitor(shop, `${'x'.repeat(39)}🍞🍞`)
    expect(long.page.body).toContain(`${'x'.repeat(39)}🍞’s cart`)
  })

  test('unknown items cannot be put into a cart', async () => {
    const browser = await visitor(shop, 'Ada')
    expect((await browser.ask(`${shop.url}/cart/add`, { item: '__proto__' })).status).toBe(400)
    expect((await browser.ask(`${shop.url}/cart/add`, {})).status).toBe(400)
    expect((await browser.ask(shop.url)).body).toContain('Nothing in it yet')
  })

  test('only customers see pages for customers', async () => {
    for (const [page, form] of [['devices'], ['session'], ['cart/add', { item: 'bread' }], ['devices/logout-others', {}], ['logout', {}]]) {
      expect((await new Browser().ask(`${shop.url}/${page}`, form)).body).toContain('Log in')
    }
  })

  test('pages are not cached by browsers, and run only scripts of the shop', async () => {
    const { headers } = (await visitor(shop, 'Ada')).page
    expect(headers.get('cache-control')).toBe('no-store')
    expect(headers.get('content-security-policy')).toContain("default-src 'self'")
    expect(headers.get('content-security-policy')).not.toContain('unsafe')
  })

  test("the index for finding a user's sessions is created", async () => {
    for (let isMade = false; !isMade;) {
      const other = new AerospikeStore({ hosts: hosts(), set, user: 'user' })
      isMade = true
      other.on('warning', () => { isMade = false })
      await other.countOf('anybody')
      await other.close()
    }
  })

  test('devices have different names and times, and no page contains a session id', async () => {
    const laptop = await visitor(shop, 'Joan')
    await visitor(shop, 'Joan', { userAgent: IPHONE })
    const { body } = await laptop.ask(`${shop.url}/devices`)
    expect(devicesIn(body).map(([name]) => name)).toStrictEqual(['Firefox on Linux, this device', 'Safari on iPhone'])
    expect(body.match(/Last seen <time datetime="[^"]+">just now<\/time>/g)).toHaveLength(2)
    const sids = (await store.sessionsOf('Joan')).map(({ id }) => id)
    expect(sids).toHaveLength(2)
    expect(sids).toContain(laptop.sid)
    for (const page of ['', 'devices', 'session', 'nowhere']) {
      const { body } = await laptop.ask(`${shop.url}/${page}`)
      for (const sid of sids) expect(body).not.toContain(sid)
    }
  })

  test('one device is logged out from another, and the rest stay', async () => {
    const [laptop, phone, tablet] = [await visitor(shop, 'Edsger'), await visitor(shop, 'Edsger', { userAgent: IPHONE }), await visitor(shop, 'Edsger')]
    const { body } = await laptop.ask(`${shop.url}/devices`)
    const [, id] = devicesIn(body).find(([name]) => name === 'Safari on iPhone')
    const after = await laptop.ask(`${shop.url}/devices/logout`, { device: id })
    expect(after.body).toContain('Safari on iPhone is logged out.')
    expect(devicesIn(after.body)).toHaveLength(2)
    expect((await phone.ask(shop.url)).body).toContain('You are no longer logged in')
    expect((await tablet.ask(shop.url)).body).toContain('Edsger’s cart')
    // The message is shown once. The request can be repeated.
    expect((await laptop.ask(`${shop.url}/devices`)).body).not.toContain('is logged out.')
    expect((await laptop.ask(`${shop.url}/devices/logout`, { device: id })).body).toContain('was logged out already')
    const [, own] = devicesIn(after.body)[0]
    expect((await laptop.ask(`${shop.url}/devices/logout`, { device: own })).body).toContain('Good day')
    expect(laptop.cookies.size).toBe(0)
  })

  test('the devices of other users cannot be logged out', async () => {
    const [alan, eve] = [await visitor(shop, 'Alan'), await visitor(shop, 'Eve')]
    const [[, id]] = devicesIn((await alan.ask(`${shop.url}/devices`)).body)
    expect((await eve.ask(`${shop.url}/devices/logout`, { device: id })).body).toContain('was logged out already')
    expect((await eve.ask(`${shop.url}/devices/logout-others`, {})).body).toContain('0 other devices')
    expect((await alan.ask(shop.url)).body).toContain('Alan’s cart')
  })

  test('a form without the token of its session is rejected, and so are requests from other sites', async () => {
    const [ada, eve] = [await visitor(shop, 'Ada'), await visitor(shop, 'Eve')]
    for (const form of [{ csrf: '' }, { csrf: eve.token }, { csrf: ada.token.slice(1) }]) {
      const { status, body } = await ada.ask(`${shop.url}/cart/add`, { item: 'bread', ...form })
      expect({ status, body }).toMatchObject({ status: 403, body: expect.stringContaining('not of this shop') })
    }
    const otherSites = [{ 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }, { origin: 'http://evil.example' }, { origin: 'null' }]
    for (const headers of otherSites) {
      expect(await post(`${shop.url}/login`, headers, 'name=Eve')).toMatchObject({ status: 403, cookies: undefined })
    }
    for (const headers of [{ 'sec-fetch-site': 'same-origin' }, { origin: shop.url }, {}]) {
      expect((await post(`${shop.url}/login`, headers, 'name=Eve')).status).toBe(303)
    }
    expect((await ada.ask(shop.url)).body).toContain('Nothing in it yet')
  })

  test('the footer of a page shows the operations of the last request', async () => {
    const browser = await visitor(shop, 'Ada')
    const asked = body => {
      const [, request, operations] = /The last request, <code>([^<]+)<\/code>, asked of the store:([^]*?)<\/p>/.exec(body)
      return [request, ...[...operations.matchAll(/<code>(\w+)<\/code> \d+\.\d ms/g)].map(([, method]) => method)]
    }
    expect(asked(browser.page.body).slice(0, 3)).toStrictEqual(['POST /login', 'destroy', 'set'])
    expect(asked((await browser.ask(shop.url)).body)).toStrictEqual(['GET /', 'get', 'touch'])
    const added = await browser.ask(`${shop.url}/cart/add`, { item: 'bread' })
    expect(asked(added.body).slice(0, 3)).toStrictEqual(['POST /cart/add', 'get', 'set'])
    await browser.ask(`${shop.url}/devices`)
    expect(asked((await browser.ask(shop.url)).body)).toStrictEqual(['GET /devices', 'get', 'sessionsOf', 'touch'])
  })
})

test('five wrong passwords lock a name, in every process and for the right password, until the minute is over', async () => {
  const env = { LOCK_SECONDS: '3' }
  const shops = await Promise.all([openShop(env), openShop(env)])
  const login = (n, password) => new Browser().ask(`${shops[n % 2].url}/login`, { name: 'Owner', password })
  const tries = await Promise.all(Array.from({ length: 12 }, (_, n) => login(n, `guess ${n}`)))
  const statuses = tries.map(({ status }) => status).sort()
  expect(statuses).toStrictEqual([...new Array(5).fill(401), ...new Array(7).fill(429)])
  expect(tries.find(({ status }) => status === 401).body).toContain('This name needs a password, and that was not it.')
  const locked = await login(0, 'open sesame')
  const retryAfter = Number(locked.headers.get('retry-after'))
  expect(locked.status).toBe(429)
  expect(locked.body).toContain('Too many wrong passwords')
  expect(retryAfter).toBeGreaterThan(0)
  expect(retryAfter).toBeLessThanOrEqual(3)
  // Other names are not locked, and this one is not for good.
  await visitor(shops[1], 'Ada')
  await pass(retryAfter * 1_000)
  for (let n = 0; n < 6; n++) {
    const { status, body } = await login(n, 'open sesame')
    expect({ status, body }).toMatchObject({ status: 200, body: expect.stringContaining('Owner’s cart') })
  }
  for (const shop of shops) await shop.close()
}, 30_000)

test('a session expires on time, and the customer is informed', async () => {
  const shop = await openShop({ SESSION_SECONDS: '0.3' })
  const browser = new Browser()
  const { cookies: [cookie] } = await post(`${shop.url}/login`, {}, 'name=Ada')
  browser.cookies.set('shop.sid', /=([^;]+)/.exec(cookie)[1])
  // Not requested by this browser, because that would extend the session.
  while (await store.get(browser.sid) !== null) await pass(20)
  expect((await browser.ask(`${shop.url}/devices`)).body).toContain('You are no longer logged in')
  await shop.close()
})

test('a session of an earlier version of the shop is ignored', async () => {
  const shop = await openShop()
  const browser = await visitor(shop, 'Ada')
  const session = await store.get(browser.sid)
  delete session.device
  await store.set(browser.sid, session)
  for (const page of ['', 'devices']) expect((await browser.ask(`${shop.url}/${page}`)).body).toContain('Log in')
  const other = await visitor(shop, 'Ada')
  expect((await other.ask(`${shop.url}/devices`)).body).toContain('Your devices')
  await shop.close()
})

test('while no server can be reached, customers see a message and the shop keeps running', async () => {
  const open = await openShop()
  const browser = await visitor(open, 'Ada')
  await open.close()

  const shop = await openShop({ AEROSPIKE_HOSTS: '127.0.0.1:1' })
  const { status, body } = await browser.ask(shop.url)
  expect(status).toBe(503)
  expect(body).toContain('cannot be reached')
  expect((await browser.ask(`${shop.url}/style.css`)).status).toBe(200)
  const { code, errorOutput } = await shop.close()
  expect(code).toBe(0)
  expect(errorOutput).toContain('UNAVAILABLE')
})

test('in production the shop requires its own secret', async () => {
  await expect(openShop({ NODE_ENV: 'production', SESSION_SECRET: '' })).rejects.toThrow('SESSION_SECRET must be set')
})

test.each([
  [FIREFOX, 'Firefox on Linux'],
  [IPHONE, 'Safari on iPhone'],
  ['Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36', 'Chrome on Android'],
  ['Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36 Edg/130.0.0.0', 'Edge on Windows'],
  ['Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15', 'Safari on macOS'],
  ['Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/128.0 Mobile/15E148 Safari/605.1.15', 'Firefox on iPad'],
  ['curl/8.5.0', 'A browser'],
  ['', 'A browser']
])('%s is called %s', (userAgent, name) => {
  expect(require('../../examples/express/devices').nameOf(userAgent)).toBe(name)
})

test("npm start prints the shop's address, and ctrl-C ends it and the dev server, which keeps the sessions", async () => {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'aerospike-session-'))
  // Without AEROSPIKE_HOSTS it starts a dev server. ctrl-C is sent to all processes of the terminal.
  const start = () => launch('scripts/start.js', { AEROSPIKE_HOSTS: '', PORT: '0', DEV_SERVER_DATA: path.join(folder, 'data') }, { detached: true })
  let shop = await start()
  const [, server] = /\(sessions on the dev server at (\S+), kept in /.exec(shop.line)
  const browser = await visitor(shop, 'Ada')
  expect((await shop.close(() => process.kill(-shop.pid, 'SIGINT'))).code).toBe(0)
  await expect(fetch(shop.url)).rejects.toThrow('fetch failed')
  await expect(fetch(`http://${server}`)).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } })

  shop = await start()
  expect((await browser.ask(shop.url)).body).toContain('Ada’s cart')
  await shop.close()
  await fs.rm(folder, { recursive: true })
}, 30_000)

/** Sends a form with headers that fetch() does not allow. */
function post (url, headers, body) {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers } }, response => {
      response.resume().once('end', () => resolve({ status: response.statusCode, cookies: response.headers['set-cookie'] }))
    })
    request.once('error', reject).end(body)
  })
}
