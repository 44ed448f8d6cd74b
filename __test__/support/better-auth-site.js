'use strict'

// A site with better-auth in its own process, and browsers for it.

const fs = require('node:fs')
const path = require('node:path')
const readline = require('node:readline')
const { spawn } = require('node:child_process')
const { once } = require('node:events')
const { extraPackages } = require('./extra-packages')

const ROOT = path.join(__dirname, '../..')
const ORIGIN = 'http://localhost:3000'

/** Starts the site of __test__/cache/suite. `home`: where its users are kept while it is stopped. `options`: of its client. */
async function startSite ({ hosts, set, home, options = {} }) {
  const packages = await extraPackages()
  const file = path.join(packages, 'better-auth-site.mjs')
  // Renamed into place, because tests run in parallel.
  const copy = `${file}.${process.pid}`
  fs.copyFileSync(path.join(ROOT, '__test__/cache/suite/better-auth-site.mjs'), copy)
  fs.renameSync(copy, file)
  return launch(file, {
    TEST_PACKAGE: path.join(ROOT, 'package.json'),
    TEST_HOSTS: hosts,
    TEST_SET: set,
    TEST_USERS: path.join(home, 'users.json'),
    TEST_OPTIONS: JSON.stringify(options)
  })
}

/** Starts a site in its own process. */
async function launch (file, env) {
  const child = spawn(process.execPath, [file], { env: { ...process.env, NODE_ENV: 'production', ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  let errors = ''
  child.stderr.on('data', data => { errors += data })
  const lines = readline.createInterface({ input: child.stdout })
  const first = await Promise.race([once(lines, 'line'), once(child, 'close').then(() => { throw new Error(errors) })])
  const url = `http://127.0.0.1:${/Listening on (\d+)/.exec(first[0])[1]}/api/auth`
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGTERM')
    await once(child, 'close')
  }
  return { url, lines, stop }
}

/** A browser with an address of its own: its requests have their own rate limits. */
class Browser {
  static #count = 0
  #address = `10.1.${Browser.#count >> 8}.${Browser.#count++ & 255}`
  cookie = ''

  constructor (url) {
    this.url = url
  }

  async ask (place, body) {
    const response = await fetch(this.url + place, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { origin: ORIGIN, cookie: this.cookie, 'x-forwarded-for': this.#address, ...body && { 'content-type': 'application/json' } },
      body: body && JSON.stringify(body)
    })
    const cookies = response.headers.getSetCookie().map(cookie => cookie.split(';')[0])
    if (cookies.length > 0) this.cookie = cookies.join('; ')
    const text = await response.text()
    return { status: response.status, json: text === '' ? null : JSON.parse(text) }
  }

  async user () {
    return (await this.ask('/get-session')).json?.user.email ?? null
  }
}

module.exports = { Browser, ORIGIN, launch, startSite }
