'use strict'

// A real Express app on a real socket, and a visitor with cookies.

const { once } = require('node:events')
const express = require('express')
const session = require('express-session')

/**
 * Starts an app with sessions in `store`. `routes` adds pages.
 * @returns {Promise<{ url: string, stop: () => Promise<void>, errors: Error[] }>}
 */
async function serve (store, routes, options = {}) {
  const app = express()
  app.use(session({ secret: 'only for tests', resave: false, saveUninitialized: false, store, ...options }))
  routes(app)
  const errors = []
  app.use((error, req, res, next) => {
    errors.push(error)
    if (res.headersSent) return next(error)
    res.status(500).json({ code: error.code, message: error.message })
  })
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const stop = async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  }
  return { url: `http://127.0.0.1:${server.address().port}`, stop, errors }
}

/** A visitor: sends back the cookies it was given, as a browser does. */
class Visitor {
  constructor (url) {
    this.url = url
    this.cookies = new Map()
  }

  get (path) {
    return this.#ask('GET', path)
  }

  post (path) {
    return this.#ask('POST', path)
  }

  async #ask (method, path) {
    const cookie = [...this.cookies].map(([name, { value }]) => `${name}=${value}`).join('; ')
    const response = await fetch(this.url + path, { method, headers: cookie ? { cookie } : {} })
    for (const line of response.headers.getSetCookie()) {
      const [pair, ...attributes] = line.split('; ')
      const [name, value] = pair.split('=')
      const expires = attributes.find(attribute => attribute.startsWith('Expires='))?.slice(8)
      this.cookies.set(name, { value, expires: expires && new Date(expires) })
    }
    const text = await response.text()
    return { status: response.status, body: text && JSON.parse(text) }
  }
}

module.exports = { serve, Visitor }
