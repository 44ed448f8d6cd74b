'use strict'

// Runs the examples of the frameworks, each in its own process, with a browser for requests. All of them answer the same
// requests: GET / counts a visit, POST /login?name=… logs in and POST /logout logs out. Each answers in JSON with the visitor's
// name and number of visits.

const fs = require('node:fs')
const path = require('node:path')
const readline = require('node:readline')
const { spawn } = require('node:child_process')
const { once } = require('node:events')
const { runtime, withoutDeprecations } = require('./runtime')
const { freshSet, hosts, openStore } = require('./server')

const ROOT = path.join(__dirname, '../..')

/** @type {Set<import('node:child_process').ChildProcess>} */
const apps = new Set()

/** Starts an app. Resolves when it listens. `lines` yields the rest of its output line by line. */
async function openApp (file, env = {}) {
  const app = spawn(process.execPath, [file], {
    cwd: ROOT,
    env: { ...process.env, NODE_ENV: 'development', AEROSPIKE_HOSTS: hosts(), PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  apps.add(app)
  const exit = once(app, 'close') // later than 'exit': all of stderr has been read
  let errorOutput = ''
  app.stderr.on('data', data => { errorOutput += data })
  const lines = readline.createInterface({ input: app.stdout })
  const line = await Promise.race([
    once(lines, 'line').then(([line]) => line),
    exit.then(([code]) => { throw new Error(`${file} ended with ${code}: ${errorOutput}`) })
  ])
  const [, port] = /^(?:Listening on|Shop:) http:\S*:(\d+)$/.exec(line)
  const close = async () => {
    app.kill('SIGTERM')
    const [code, signal] = await exit
    // Deno ends by the signal, after the program has handled it and has nothing else to do.
    if (runtime === 'deno' && signal === 'SIGTERM') return { code: 0, errorOutput }
    return { code, errorOutput: withoutDeprecations(errorOutput) }
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

/** A browser: keeps its cookies for any port of the site, and does not follow redirects. */
class Browser {
  cookies = new Map()
  /** When each cookie expires in the browser. */
  expires = new Map()
  /** The attributes of each cookie, as the server sent them. */
  attributes = new Map()

  /** Returns another browser with the same cookies: a second tab, or an attacker. */
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
    // Without keep-alive, so that the app can exit.
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
    this.attributes.set(name, attributes)
  }
}

/**
 * Defines the tests for what every example guarantees.
 *
 * `login(browser, url, name)` is for examples that need more than a name.
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
    // A new session: the old id is no longer valid.
    expect(browser.cookies.get('sid')).not.toBe(before.cookies.get('sid'))
    expect((await before.get(`${app.url}/`)).body).toEqual({ user: null, visits: 1 })
    const { body: { visits } } = await browser.get(`${app.url}/`)
    expect(await app.close()).toEqual({ code: 0, errorOutput: '' })

    app = await openApp(file, env)
    expect((await browser.get(`${app.url}/`)).body).toEqual({ user: 'ada', visits: visits + 1 })
    const thief = browser.copy()
    expect((await browser.post(`${app.url}/logout`)).body).toEqual({ user: null, visits: 0 })
    expect((await thief.get(`${app.url}/`)).body).toEqual({ user: null, visits: 1 })
    expect(await app.close()).toEqual({ code: 0, errorOutput: '' })
  }, 30_000)

  test(`${file}: a session lives as long as its cookie`, async () => {
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

/** Secrets as `openssl rand -hex 32` prints them. */
const PRODUCTION_SECRET = '5f1c'.repeat(16)

/** Returns the published secrets in the source files of an app's folder, and in the files of other folders that these require. */
function publishedSecrets (file) {
  const folder = path.dirname(path.join(ROOT, file))
  const sources = fs.readdirSync(folder).filter(name => /\.m?js$/.test(name)).map(name => fs.readFileSync(path.join(folder, name), 'utf8'))
  const shared = sources.flatMap(text => Array.from(text.matchAll(/require\('(\.\.\/[^']+)'\)/g), ([, name]) => require.resolve(path.join(folder, name))))
  return [...sources, ...shared.map(name => fs.readFileSync(name, 'utf8'))]
    .flatMap(text => Array.from(text.matchAll(/= '([^'\n]*\bsecret\b[^'\n]*)'/g), ([, secret]) => secret))
}

/**
 * Tests an example with NODE_ENV=production. `request(url, headers)` makes a request whose response sets a cookie. `env` holds
 * what the app needs in addition to SESSION_SECRET.
 */
function testProduction (file, { env = () => ({}), request = (url, headers) => fetch(`${url}/`, { headers }) } = {}) {
  const set = freshSet()
  openStore({ set }) // removes the sessions afterwards
  const open = SESSION_SECRET => openApp(file, { NODE_ENV: 'production', AEROSPIKE_SET: set, SESSION_SECRET, ...env() })

  test(`${file}: in production it does not start without a SESSION_SECRET that is long and not published`, async () => {
    const published = publishedSecrets(file)
    expect(published).not.toHaveLength(0)
    const refused = [undefined, '', PRODUCTION_SECRET.slice(0, 31), ...published]
    const outcomes = await Promise.all(refused.map(secret => open(secret).then(() => 'it started', error => error.message)))
    for (const outcome of outcomes) {
      expect(outcome).toMatch(new RegExp(`^${file} ended with 1: [^]*^[Ee]rror: In production, SESSION_SECRET must be set to at least 32 random characters`, 'm'))
    }
  }, 60_000)

  test(`${file}: in production every cookie is Secure and HttpOnly, and needs HTTPS`, async () => {
    const app = await open(PRODUCTION_SECRET)
    const cookies = async headers => (await request(app.url, { connection: 'close', ...headers })).headers.getSetCookie()
    const overHttps = await cookies({ 'x-forwarded-proto': 'https' })
    expect(overHttps).not.toHaveLength(0)
    for (const cookie of [...overHttps, ...await cookies({})]) {
      expect(cookie).toMatch(/; Secure(;|$)/i)
      expect(cookie).toMatch(/; HttpOnly(;|$)/i)
    }
    expect((await app.close()).code).toBe(0)
  }, 30_000)
}

module.exports = { Browser, PRODUCTION_SECRET, openApp, testExample, testProduction }
