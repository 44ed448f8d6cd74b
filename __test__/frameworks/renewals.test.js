'use strict'

// Renewals of session ids, the limit of a user's sessions, and watches, with each framework that allows renewals.
// Covers the examples in docs/frameworks.md.

const Fastify = require('fastify')
const { renew: renewFastify, renewal: fastifyRenewal } = require('../../exports/fastify')
const { renew: renewKoa, renewal: koaRenewal } = require('../../exports/koa')
const { forkSite } = require('../support/fork-site')
const { testRenewals } = require('../support/framework-renewals')
const { freshSet, hosts, openStore } = require('../support/server')
const { Browser } = require('../support/site')

testRenewals('@fastify/session', 'fastify-site.js', { rolling: { rolling: true }, config: { isMade: true, plugin: { rolling: false } } })
testRenewals('koa-session', 'koa-site.js', { rolling: { rolling: true } })
testRenewals('NestJS', 'nestjs-site.js', { rolling: { rolling: true } })

test('a controller of NestJS sends an event when the session ends', async () => {
  const set = freshSet()
  openStore({ set }) // removes the sessions afterwards
  const options = { hosts: hosts(), set, watchInterval: 0.2 }
  const [site, other] = await Promise.all([1, 2].map(() => forkSite('nestjs-site.js', { options })))
  const browser = new Browser()
  await browser.get(`${site.url}/put?key=user&value=ada`)
  const events = browser.copy().get(`${site.url}/events`)
  await browser.post(`${other.url}/logout`)
  expect((await events).body).toMatch(/data: {"reason":"gone"}/)
})

describe('the errors of a renewal:', () => {
  test('the plugin of Fastify refuses wrong options, and needs @fastify/session', async () => {
    await expect(Fastify().register(fastifyRenewal, { every: 1, grace: 2 })).rejects.toMatchObject({ message: expect.stringContaining('@fastify/session') })
    let refused
    fastifyRenewal({ addHook () {} }, { every: 1, grace: 2 }, error => { refused = error })
    expect(refused).toMatchObject({ code: 'BAD_OPTION', message: expect.stringContaining("'grace'") })
  })

  test('a request without a session, or with another store', async () => {
    for (const renew of [renewFastify, renewKoa]) await expect(renew({})).rejects.toMatchObject({ code: 'BAD_OPTION' })
    await expect(renewFastify({ sessionStore: {} })).rejects.toMatchObject({ code: 'BAD_OPTION', message: expect.stringContaining('a FastifyStore') })
    await expect(renewKoa({ sessionOptions: { store: {} } })).rejects.toMatchObject({ code: 'BAD_OPTION', message: expect.stringContaining('a KoaStore') })
    expect(() => koaRenewal({ every: 1, grace: 2 })).toThrow(expect.objectContaining({ code: 'BAD_OPTION' }))
  })
})
