'use strict'

// Values that an application or a framework may pass by mistake: every method fails with an error of this package.

const { AerospikeStore } = require('../..')
const { FastifyStore } = require('../../exports/fastify')
const { HonoStore } = require('../../exports/hono')
const { KoaStore } = require('../../exports/koa')
const { ReactRouterStore } = require('../../exports/react-router')
const { freshSet, hosts } = require('../support/server')

const NOTHING = [null, undefined]
const PRIMITIVES = ['text', 5, true, Symbol('symbol'), 10n, () => {}]
const WRONG = [...NOTHING, ...PRIMITIVES, [1]]
const INVALID_DATE = new Date(NaN)

/** @type {[string, new (options: object) => any, Record<string, (store: any, value: any) => any>, Record<string, (store: any, value: any) => any>][]} */
const STORES = [
  ['AerospikeStore', AerospikeStore, {
    set: (store, value) => store.set('a', value)
  }, {
    'the cookie of set': (store, value) => store.set('a', { cookie: value }),
    'the end of set': (store, value) => store.set('a', { cookie: { expires: value } }),
    'the session of touch': (store, value) => store.touch('a', value),
    'the cookie of touch': (store, value) => store.touch('a', { cookie: value }),
    'the end of touch': (store, value) => store.touch('a', { cookie: { expires: value } })
  }],
  ['FastifyStore', FastifyStore, {
    set: (store, value) => store.set('a', value)
  }, {
    'the end of set': (store, value) => store.set('a', { cookie: { expires: value } }),
    'the key of FastifyStore': (store, value) => store.set('a', { '@aerospike-session': value }),
    'the session of touch': (store, value) => store.touch('a', value)
  }],
  ['KoaStore', KoaStore, {
    set: (store, value) => store.set('a', value),
    'set with a context': (store, value) => store.set('a', value, 1_000, { ctx: {} })
  }, {
    'the context of get': (store, value) => store.get('a', value, { ctx: value }),
    'the context of set': (store, value) => store.set('a', {}, value, { ctx: value }),
    'the context of destroy': (store, value) => store.destroy('a', { ctx: value }),
    'the options of get': (store, value) => store.get('a', value, value),
    'the options of set': (store, value) => store.set('a', {}, value, value),
    'the options of destroy': (store, value) => store.destroy('a', value)
  }],
  ['HonoStore', HonoStore, {
    createSession: (store, value) => store.createSession('a', value),
    persistSessionData: (store, value) => store.persistSessionData('a', value),
    _data: (store, value) => store.persistSessionData('a', { _data: value }),
    'a value of _data': (store, value) => store.persistSessionData('a', { _data: { a: value } })
  }, {
    _expire: (store, value) => store.persistSessionData('a', { _data: {}, _expire: value })
  }],
  ['ReactRouterStore', ReactRouterStore, {
    createData: (store, value) => store.createData(value),
    updateData: (store, value) => store.updateData('a', value)
  }, {
    'the end of createData': (store, value) => store.createData({}, value),
    'the end of updateData': (store, value) => store.updateData('a', {}, value)
  }]
]

describe.each(STORES)('%s', (_, Store, data, others) => {
  let store
  beforeAll(() => { store = new Store({ hosts: hosts(), set: freshSet() }) })
  afterAll(async () => {
    await (store.store ?? store).clear()
    await store.close()
  })

  test.each(Object.entries(data))('%s: rejects a value that is not session data with BAD_DATA', async (_, call) => {
    for (const value of WRONG) {
      await expect(call(store, value)).rejects.toMatchObject({ name: 'AerospikeSessionError', code: 'BAD_DATA', message: expect.stringMatching(/^session data must be a plain object, not (a|an|null|undefined)\b/) })
    }
  })

  test.each(Object.entries(others))('%s: accepts any value, or fails with an error of this package', async (_, call) => {
    for (const value of [...WRONG, {}, Infinity, NaN, -1, 1e300, INVALID_DATE, '']) {
      const name = await Promise.resolve(call(store, value)).then(() => 'AerospikeSessionError', error => error.name)
      expect([value, name]).toStrictEqual([value, 'AerospikeSessionError'])
    }
  })
})
