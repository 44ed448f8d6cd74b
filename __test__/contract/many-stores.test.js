'use strict'

// An application that creates a store for each request gets one warning.

const { AerospikeStore, SessionStore } = require('../..')
const { FastifyStore } = require('../../exports/fastify')
const { KoaStore } = require('../../exports/koa')

/** A host that does not answer. */
let port = 0
const nowhere = () => `127.0.0.1:${++port}`

let warnings
beforeEach(() => {
  warnings = []
  jest.spyOn(process, 'emitWarning').mockImplementation((message, { code }) => warnings.push([code, message]))
})
afterEach(() => jest.restoreAllMocks())

/** Opens stores. They are closed after the test. */
const stores = []
function open (count, options, Store = SessionStore) {
  const opened = Array.from({ length: count }, () => new Store(options))
  stores.push(...opened)
  return opened
}
afterEach(() => Promise.all(stores.splice(0).map(store => store.close())))

test.each([['SessionStore', SessionStore], ['AerospikeStore', AerospikeStore], ['FastifyStore', FastifyStore], ['KoaStore', KoaStore]])(
  'the tenth %s with a connection of its own to the same hosts is a warning, and no later one', (_, Store) => {
    const hosts = nowhere()
    open(9, { hosts }, Store)
    expect(warnings).toStrictEqual([])
    open(1, { hosts, set: 'another' }, Store)
    expect(warnings).toStrictEqual([['MANY_STORES', expect.stringMatching(/^10 stores .* Make one store when the application starts/)]])
    expect(warnings[0][1]).not.toContain(hosts)
    open(15, { hosts }, Store)
    expect(warnings).toHaveLength(1)
  })

test('stores of different kinds are counted together, however their hosts are written', () => {
  const hosts = nowhere()
  open(4, { hosts }, SessionStore)
  open(3, { hosts: [hosts] }, AerospikeStore)
  open(3, { hosts: [{ host: '127.0.0.1', port }] }, KoaStore)
  expect(warnings).toHaveLength(1)
})

test('stores that share a client, have other hosts or were closed are not counted', async () => {
  const hosts = nowhere()
  const [client] = open(1, { hosts })
  open(20, { client }, AerospikeStore)
  for (let n = 0; n < 12; n++) open(1, { hosts: nowhere() })
  for (let n = 0; n < 12; n++) {
    const [store] = open(1, { hosts })
    await Promise.all([store.close(), store.close()])
  }
  expect(warnings).toStrictEqual([])
})
