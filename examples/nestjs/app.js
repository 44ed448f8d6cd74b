'use strict'

// In TypeScript decorators are written as usual. In JavaScript they are called as functions.

require('reflect-metadata')
const { Controller, Get, Module, Post, Query, Session } = require('@nestjs/common')
const { NestFactory } = require('@nestjs/core')
const { promisify } = require('node:util')
const session = require('express-session')
const { AerospikeStore } = require('aerospike-session')

const { AEROSPIKE_SET, NODE_ENV, PORT = 8080, SESSION_SECRET } = process.env

// Everyone can read this secret, so the app does not start with it in production.
const DEVELOPMENT_SECRET = 'a secret for development only: it is published'
const secret = SESSION_SECRET || DEVELOPMENT_SECRET
const isProduction = NODE_ENV === 'production'
if (isProduction && (secret === DEVELOPMENT_SECRET || secret.length < 32)) {
  throw new Error('In production, SESSION_SECRET must be set to at least 32 random characters, such as those of `openssl rand -hex 32`')
}

class AppController {
  /** @param {any} session */
  index (session) {
    session.visits = (session.visits ?? 0) + 1
    return { user: session.user ?? null, visits: session.visits }
  }

  /**
   * @param {any} session
   * @param {string} name
   */
  async login (session, name) {
    // A new id at every login protects against session fixation.
    const { req } = session
    await promisify(session.regenerate).call(session)
    req.session.user = name
    return { user: name, visits: 0 }
  }

  /** @param {any} session */
  async logout (session) {
    await promisify(session.destroy).call(session)
    return { user: null, visits: 0 }
  }
}

/**
 * @param {'index' | 'login' | 'logout'} name
 * @param {MethodDecorator} route
 * @param {ParameterDecorator[]} parameters
 */
function route (name, route, ...parameters) {
  const { prototype } = AppController
  route(prototype, name, /** @type {PropertyDescriptor} */ (Object.getOwnPropertyDescriptor(prototype, name)))
  parameters.forEach((parameter, index) => parameter(prototype, name, index))
}

route('index', Get(), Session())
route('login', Post('login'), Session(), Query('name'))
route('logout', Post('logout'), Session())
Controller()(AppController)

class AppModule {}
Module({ controllers: [AppController] })(AppModule)

async function main () {
  const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] })
  // In production a proxy terminates TLS. Its X-Forwarded-Proto is trusted if it connects from this machine or a private network.
  if (isProduction) app.getHttpAdapter().getInstance().set('trust proxy', 'loopback, uniquelocal')
  // The hosts come from AEROSPIKE_HOSTS; without it, localhost:3000.
  const store = new AerospikeStore({ set: AEROSPIKE_SET })
  app.use(session({
    store,
    name: 'sid',
    secret,
    resave: false,
    saveUninitialized: false,
    cookie: { httpOnly: true, sameSite: 'lax', secure: isProduction, maxAge: 30 * 60 * 1000 }
  }))
  await app.listen(Number(PORT))
  console.log(`Listening on http://localhost:${app.getHttpServer().address().port}`)
  process.once('SIGTERM', async () => {
    await app.close()
    await store.close()
  })
}

main()
