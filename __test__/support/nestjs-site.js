'use strict'

// The pages of framework-renewals.js with NestJS, with a page of server-sent events.

require('reflect-metadata')
const { Controller, Get, Module, Post, Query, Req, Sse } = require('@nestjs/common')
const { NestFactory } = require('@nestjs/core')
const { promisify } = require('node:util')
const session = require('express-session')
const { Observable } = require('rxjs')
const { AerospikeStore, renew, renewal } = require('aerospike-session')
const { siteConfig, siteIsOpen } = require('./fork-site')
const { Gates } = require('./gates')

const { options, plugin, renewing } = siteConfig()
const store = new AerospikeStore(options)
const gates = new Gates()

const answer = ({ session }) => {
  const { cookie, ...data } = session
  return data
}

class PagesController {
  async put (req, { key, value, gate }) {
    await gates.pass(gate)
    req.session[key] = value
    return answer(req)
  }

  session (req) {
    return answer(req)
  }

  async renew (req, { grace }) {
    const before = req.session
    const renewed = await renew(req, grace && { grace: Number(grace) })
    return { renewed, isNew: req.session !== before, ...answer(req) }
  }

  async watch (req) {
    const { signal } = store.watch(req.sessionID)
    return new Promise(resolve => signal.addEventListener('abort', () => resolve({ reason: signal.reason })))
  }

  events (req) {
    return new Observable(subscriber => {
      const { signal, stop } = store.watch(req.sessionID)
      signal.addEventListener('abort', () => {
        subscriber.next({ data: { reason: signal.reason } })
        subscriber.complete()
      })
      return stop
    })
  }

  async logout (req) {
    await promisify(req.session.destroy).call(req.session)
    return {}
  }
}

function route (name, route, ...parameters) {
  const { prototype } = PagesController
  route(prototype, name, Object.getOwnPropertyDescriptor(prototype, name))
  parameters.forEach((parameter, index) => parameter(prototype, name, index))
}

route('put', Get('put'), Req(), Query())
route('session', Get('session'), Req())
route('renew', Get('renew'), Req(), Query())
route('watch', Get('watch'), Req())
route('events', Sse('events'), Req())
route('logout', Post('logout'), Req())
Controller()(PagesController)

class PagesModule {}
Module({ controllers: [PagesController] })(PagesModule)

async function main () {
  const app = await NestFactory.create(PagesModule, { logger: false })
  app.use(session({ store, name: 'sid', secret: 'only for tests', resave: false, saveUninitialized: false, cookie: { maxAge: 1_800_000 }, ...plugin }))
  if (renewing) app.use(renewal(renewing))
  await app.listen(0, 'localhost')
  siteIsOpen(gates, store, app.getHttpServer().address().port)
}

main()
