'use strict'

// Runs the examples of docs/caching.md.

const fs = require('node:fs')
const path = require('node:path')
const { once } = require('node:events')
const { Keyv } = require('keyv')
const { SessionStore } = require('../..')
const { KeyvAerospike } = require('../../exports/keyv')
const { freshSet, hosts } = require('../support/server')
const { folderFor } = require('../support/pages')

jest.setTimeout(30_000)

const PREFIX = `t-${freshSet()}`

/** The page's files, with a prefix of their own and without jest's cache of modules. */
let folder, hostsBefore
beforeAll(() => {
  folder = folderFor('docs/caching.md')
  for (const name of fs.readdirSync(folder)) {
    const file = path.join(folder, name)
    const text = fs.readFileSync(file, 'utf8').replaceAll("prefix: 'shop'", `prefix: '${PREFIX}'`)
    fs.writeFileSync(file, text.replaceAll("require('aerospike-session')", `require('${path.join(__dirname, '../..')}')`)
      .replaceAll("require('aerospike-session/keyv')", `require('${path.join(__dirname, '../../exports/keyv')}')`))
  }
  hostsBefore = process.env.AEROSPIKE_HOSTS
  process.env.AEROSPIKE_HOSTS = hosts()
})

afterAll(async () => {
  if (hostsBefore === undefined) delete process.env.AEROSPIKE_HOSTS
  else process.env.AEROSPIKE_HOSTS = hostsBefore
  fs.rmSync(folder, { recursive: true })
  const client = new SessionStore({ hosts: hosts() })
  for (const namespace of ['prices', 'pages']) {
    const adapter = new KeyvAerospike({ client, prefix: PREFIX })
    adapter.namespace = namespace
    await adapter.clear()
  }
  await client.close()
})

/** Loads a file of the page as another process would: with modules of its own. */
function load (name) {
  let loaded
  jest.isolateModules(() => { loaded = require(path.join(folder, name)) })
  return loaded
}

describe('cache-aside', () => {
  test('a hundred misses at once call the function once, and other processes find its result', async () => {
    const calls = []
    const price = async (fruit, weight) => {
      calls.push(fruit)
      await new Promise(resolve => setTimeout(resolve, 50))
      return { fruit, weight }
    }
    const one = load('prices.js')
    const priceOf = one.cached(price)
    const prices = await Promise.all(Array.from({ length: 100 }, (_, n) => priceOf(n % 2 === 0 ? 'apple' : 'pear', 1)))
    expect(prices).toEqual(Array.from({ length: 100 }, (_, n) => ({ fruit: n % 2 === 0 ? 'apple' : 'pear', weight: 1 })))
    expect(calls.sort()).toEqual(['apple', 'pear'])
    const other = load('prices.js')
    expect(await other.cached(price)('apple', 1)).toEqual({ fruit: 'apple', weight: 1 })
    expect(calls).toHaveLength(2)
    expect(await other.cached(price)('apple', 2)).toEqual({ fruit: 'apple', weight: 2 })
    expect(calls).toHaveLength(3)
    await one.close()
    await other.close()
  })

  test('the page shows prices', async () => {
    expect(await load('page.js').show('banana')).toBe('6 €')
  })

  test('goes on without the cluster', async () => {
    process.env.AEROSPIKE_HOSTS = '127.0.0.1:1'
    const written = jest.spyOn(console, 'error').mockImplementation(() => {})
    const down = load('prices.js')
    try {
      expect(await down.cached(async () => 'loaded')('apple')).toBe('loaded')
      expect(written.mock.calls.map(([error]) => error.code)).toContain('UNAVAILABLE')
    } finally {
      process.env.AEROSPIKE_HOSTS = hosts()
      written.mockRestore()
      await down.close()
    }
  })
})

describe('caching responses', () => {
  test('with Express', async () => {
    const { app, client } = load('site.js').site()
    const server = app.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const ask = async (method = 'GET') => {
      const response = await fetch(`http://127.0.0.1:${server.address().port}/news`, { method })
      return [response.headers.get('x-cache'), response.headers.get('content-type'), await response.text()]
    }
    const json = 'application/json; charset=utf-8'
    const first = await ask()
    expect(first).toEqual([null, json, '{"visits":1}'])
    // The response does not wait until it is stored.
    let second = await ask()
    while (second[0] === null) second = await ask()
    expect(second.slice(0, 2)).toEqual(['hit', json])
    expect(await ask()).toEqual(second)
    server.closeAllConnections()
    server.close()
    await client.close()
  })

  test('with Fastify', async () => {
    const client = new SessionStore({ hosts: hosts() })
    const cache = new Keyv({ store: new KeyvAerospike({ client, prefix: PREFIX }), namespace: 'pages' })
    const app = require('fastify')()
    load('fastify-cache.js').responseCache(app, cache, 10_000)
    let visits = 0
    app.get('/fast', async () => ({ visits: ++visits }))
    app.get('/missing', async (request, reply) => reply.code(404).send({ visits: ++visits }))
    const at = await app.listen({ port: 0, host: '127.0.0.1' })
    const ask = async url => {
      const response = await fetch(at + url)
      return [response.headers.get('x-cache'), response.headers.get('content-type'), await response.text()]
    }
    const json = 'application/json; charset=utf-8'
    expect(await ask('/fast')).toEqual([null, json, '{"visits":1}'])
    expect(await ask('/fast')).toEqual(['hit', json, '{"visits":1}'])
    expect(await ask('/fast?other')).toEqual([null, json, '{"visits":2}'])
    expect(await ask('/missing')).toEqual([null, json, '{"visits":3}'])
    expect(await ask('/missing')).toEqual([null, json, '{"visits":4}'])
    await app.close()
    await client.close()
  })
})
