'use strict'

// The example shop as a visitor sees it: a process of its own, asked over HTTP.

const path = require('node:path')
const readline = require('node:readline')
const { spawn } = require('node:child_process')
const { once } = require('node:events')
const { openStore, freshSet, hosts } = require('./support/server')

const set = freshSet()
openStore({ set }) // removes the shop's sessions afterwards

/** @type {Set<import('node:child_process').ChildProcess>} */
const shops = new Set()

/** Starts the shop; resolves with its address once it listens. */
async function openShop (env = {}) {
  const shop = spawn(process.execPath, ['examples/express/app.js'], {
    cwd: path.dirname(__dirname),
    env: { ...process.env, NODE_ENV: 'development', AEROSPIKE_HOSTS: hosts(), AEROSPIKE_SET: set, PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  shops.add(shop)
  const exit = once(shop, 'exit')
  let complaints = ''
  shop.stderr.on('data', data => { complaints += data })
  const line = await Promise.race([
    once(readline.createInterface({ input: shop.stdout }), 'line').then(([line]) => line),
    exit.then(([code]) => { throw new Error(`the shop ended with ${code}: ${complaints}`) })
  ])
  const close = async () => {
    shop.kill('SIGTERM')
    const [code] = await exit
    return { code, complaints }
  }
  return { url: /^Shop: (http:\S+)$/.exec(line)[1], close }
}

afterAll(async () => {
  for (const shop of shops) {
    if (shop.exitCode !== null || shop.signalCode !== null) continue
    shop.kill('SIGKILL')
    await once(shop, 'exit')
  }
})

/** A browser: keeps its cookies, whatever port the shop has, and follows redirects. */
class Browser {
  cookies = new Map()

  async ask (url, form) {
    const response = await fetch(url, {
      method: form === undefined ? 'GET' : 'POST',
      body: form && new URLSearchParams(form),
      headers: { cookie: [...this.cookies].map(pair => pair.join('=')).join('; ') },
      redirect: 'manual'
    })
    for (const line of response.headers.getSetCookie()) {
      const [, name, value, attributes] = /^([^=]+)=([^;]*)(.*)$/.exec(line)
      const expires = /; Expires=([^;]+)/.exec(attributes)
      if (expires && new Date(expires[1]) < new Date()) this.cookies.delete(name)
      else this.cookies.set(name, value)
    }
    const body = await response.text()
    const location = response.headers.get('location')
    if (location !== null) return this.ask(new URL(location, url))
    return { status: response.status, body, cookies: response.headers.getSetCookie() }
  }
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

  expect(await shop.close()).toEqual({ code: 0, complaints: '' })
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
  expect((await browser.ask(`${shop.url}/logout`, {})).body).toContain('Log in')
  expect(browser.cookies.size).toBe(0)
  expect((await thief.ask(shop.url)).body).toContain('Log in')
  expect((await shop.close()).code).toBe(0)
})

test('the session page shows what the session holds and how long it lives', async () => {
  const browser = new Browser()
  const shop = await openShop()
  await browser.ask(`${shop.url}/login`, { name: 'Grace' })
  const { body } = await browser.ask(`${shop.url}/session`)
  expect(body).toContain('&#34;user&#34;: &#34;Grace&#34;')
  const [, minutes, seconds] = /(\d+) min (\d+) s/.exec(body)
  expect(Number(minutes) * 60 + Number(seconds)).toBeGreaterThan(29 * 60)
  expect(Number(minutes) * 60 + Number(seconds)).toBeLessThanOrEqual(30 * 60)
  await shop.close()
})

test('a login gives a new session id, in a cookie that scripts cannot read', async () => {
  const browser = new Browser()
  const shop = await openShop()
  await browser.ask(`${shop.url}/login`, { name: 'Ada' })
  const before = browser.cookies.get('shop.sid')
  const { cookies } = await browser.ask(`${shop.url}/login`, { name: 'Grace' })
  expect(browser.cookies.get('shop.sid')).not.toBe(before)
  expect(cookies.join()).toMatch(/HttpOnly; SameSite=Lax/)
  const earlier = new Browser()
  earlier.cookies.set('shop.sid', before)
  expect((await earlier.ask(shop.url)).body).toContain('Log in')
  await shop.close()
})

test('a name is shown as text, never as markup', async () => {
  const browser = new Browser()
  const shop = await openShop()
  const { body } = await browser.ask(`${shop.url}/login`, { name: '<img src=x>"\'&' })
  expect(body).toContain('&#60;img src=x&#62;&#34;&#39;&#38;')
  expect(body).not.toContain('<img')
  await shop.close()
})

test('what the shop does not sell cannot be put into a cart', async () => {
  const browser = new Browser()
  const shop = await openShop()
  await browser.ask(`${shop.url}/login`, { name: 'Ada' })
  expect((await browser.ask(`${shop.url}/cart/add`, { item: '__proto__' })).status).toBe(400)
  expect((await browser.ask(`${shop.url}/cart/add`, {})).status).toBe(400)
  expect((await browser.ask(shop.url)).body).toContain('Nothing in it yet')
  await shop.close()
})

test('while no server can be reached, a customer is told so and the shop goes on', async () => {
  const browser = new Browser()
  const open = await openShop()
  await browser.ask(`${open.url}/login`, { name: 'Ada' })
  await open.close()

  const shop = await openShop({ AEROSPIKE_HOSTS: '127.0.0.1:1' })
  const { status, body } = await browser.ask(shop.url)
  expect(status).toBe(503)
  expect(body).toContain('cannot be reached')
  expect((await browser.ask(`${shop.url}/style.css`)).status).toBe(200)
  const { code, complaints } = await shop.close()
  expect(code).toBe(0)
  expect(complaints).toContain('UNAVAILABLE')
})

test('in production the shop refuses to run without a secret of its own', async () => {
  await expect(openShop({ NODE_ENV: 'production', SESSION_SECRET: '' })).rejects.toThrow('SESSION_SECRET must be set')
})
