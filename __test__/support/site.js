'use strict'

// The examples of the frameworks, each a process of its own, and a browser to ask them with. All of them answer the same
// requests: GET / counts a visit, POST /login?name=… and POST /logout do what they say, and each tells in JSON who the
// visitor is and how often they came.

const path = require('node:path')
const readline = require('node:readline')
const { spawn } = require('node:child_process')
const { once } = require('node:events')
const { freshSet, hosts, openStore } = require('./server')

const ROOT = path.join(__dirname, '../..')

/** @type {Set<import('node:child_process').ChildProcess>} */
const apps = new Set()

/** Starts an app; resolves once it listens. What else it prints comes line by line from `lines`. */
async function openApp (file, env = {}) {
  const app = spawn(process.execPath, [file], {
    cwd: ROOT,
    env: { ...process.env, NODE_ENV: 'development', AEROSPIKE_HOSTS: hosts(), PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  apps.add(app)
  const exit = once(app, 'exit')
  let complaints = ''
  app.stderr.on('data', data => { complaints += data })
  const lines = readline.createInterface({ input: app.stdout })
  const line = await Promise.race([
    once(lines, 'line').then(([line]) => line),
    exit.then(([code]) => { throw new Error(`${file} ended with ${code}: ${complaints}`) })
  ])
  const [, port] = /^Listening on http:\S*:(\d+)$/.exec(line)
  const close = async () => {
    app.kill('SIGTERM')
    const [code] = await exit
    return { code, complaints }
  }
  return { url: `http://localhost:${port}`, lines, close }
}

afterAll(async () => {
  for (const app of apps) {
    if (app.exitCode !== null || app.signalCode !== null) continue
    app.kill('SIGKILL')
    await once(app, 'exit')
  }
})

/** Keeps its cookies, whatever port the site has; does not follow redirects. */
class Browser {
  cookies = new Map()
  /** Of the cookies, when the browser is to forget them. */
  expires = new Map()

  /** Another with the same cookies: a second tab, or a thief. */
  copy () {
    const other = new Browser()
    other.cookies = new Map(this.cookies)
    return other
  }

  get (url) {
    return this.#ask(url, {})
  }

  post (url, form) {
    return this.#ask(url, { method: 'POST', body: form && new URLSearchParams(form) })
  }

  async #ask (url, init) {
    const cookie = [...this.cookies].map(pair => pair.join('=')).join('; ')
    // No connection is left open: the app is to end when it is told to.
    const headers = { connection: 'close', ...(cookie === '' ? {} : { cookie }) }
    const response = await fetch(url, { ...init, headers, redirect: 'manual' })
    for (const line of response.headers.getSetCookie()) this.#keep(line)
    const text = await response.text()
    const isJson = response.headers.get('content-type')?.includes('json')
    return { status: response.status, location: response.headers.get('location'), body: isJson ? JSON.parse(text) : text }
  }

  #keep (line) {
    const [, name, value, attributes] = /^([^=]+)=([^;]*)(.*)$/.exec(line)
    const [, expires] = /; Expires=([^;]+)/i.exec(attributes) ?? []
    const [, maxAge] = /; Max-Age=([^;]+)/i.exec(attributes) ?? []
    const end = maxAge === undefined ? expires && new Date(expires) : new Date(Date.now() + Number(maxAge) * 1_000)
    if (value === '' || (end && end <= new Date())) this.cookies.delete(name)
    else this.cookies.set(name, value)
    this.expires.set(name, end)
  }
}

/**
 * What every example promises, as tests.
 *
 * `login(browser, url, name)` is for those that ask for more than a name.
 */
function testExample (file, { login = (browser, url, name) => browser.post(`${url}/login?name=${name}`), minutes = 30 } = {}) {
  const env = { AEROSPIKE_SET: freshSet() }
  const store = openStore({ set: env.AEROSPIKE_SET })

  test(`${file}: a session survives a restart of the process, and ends with the logout`, async () => {
    const browser = new Browser()
    let app = await openApp(file, env)
    expect((await browser.get(`${app.url}/`)).body).toEqual({ user: null, visits: 1 })
    expect((await browser.get(`${app.url}/`)).body).toEqual({ user: null, visits: 2 })
    const before = browser.copy()
    expect(await login(browser, app.url, 'ada')).toMatchObject({ body: { user: 'ada' } })
    // A new session: the old id is worth nothing.
    expect(browser.cookies.get('sid')).not.toBe(before.cookies.get('sid'))
    expect((await before.get(`${app.url}/`)).body).toEqual({ user: null, visits: 1 })
    const { body: { visits } } = await browser.get(`${app.url}/`)
    expect(await app.close()).toEqual({ code: 0, complaints: '' })

    app = await openApp(file, env)
    expect((await browser.get(`${app.url}/`)).body).toEqual({ user: 'ada', visits: visits + 1 })
    const thief = browser.copy()
    expect((await browser.post(`${app.url}/logout`)).body).toEqual({ user: null, visits: 0 })
    expect((await thief.get(`${app.url}/`)).body).toEqual({ user: null, visits: 1 })
    expect(await app.close()).toEqual({ code: 0, complaints: '' })
  }, 30_000)

  test(`${file}: a session lives for as long as its cookie`, async () => {
    await store.clear()
    const browser = new Browser()
    const app = await openApp(file, env)
    await login(browser, app.url, 'ada')
    const [session] = await store.all()
    const left = new Date(session.cookie.expires).getTime() - Date.now()
    expect(left).toBeGreaterThan((minutes - 1) * 60_000)
    expect(left).toBeLessThanOrEqual((minutes + 1) * 60_000)
    expect((await app.close()).code).toBe(0)
  }, 30_000)
}

module.exports = { Browser, openApp, testExample }
