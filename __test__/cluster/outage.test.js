'use strict'

// What visitors get while the cluster is down. The tests start their own servers, so that they can stop them.

const { once } = require('node:events')
const { AerospikeStore, SessionStore } = require('../..')
const { DevServer } = require('../../exports/dev-server')
const { serve, Visitor } = require('../support/http')

const open = []
afterAll(async () => {
  for (const one of open.reverse()) await (one.close?.() ?? one.stop())
})

function routes (app) {
  app.get('/', (req, res) => {
    if (req.session === undefined) return res.json('anonymous')
    req.session.visits = (req.session.visits ?? 0) + 1
    res.json(req.session.visits)
  })
}

async function shop (store) {
  const app = await serve(store, routes)
  open.push(store, app)
  return new Visitor(app.url)
}

/** Collects the events that express-session listens to. */
function recordEvents (store) {
  const events = []
  for (const event of ['connect', 'disconnect']) store.on(event, () => events.push(event))
  return events
}

test('with whenDown: error, every request gets the error, and the store emits no event for express-session', async () => {
  const server = await DevServer.start()
  const store = new AerospikeStore({ hosts: server.hosts, timeout: 1_000 })
  const events = recordEvents(store)
  const visitor = await shop(store)
  expect((await visitor.get('/')).body).toBe(1)
  const down = once(store, 'down')
  await server.stop()
  await down
  expect(await visitor.get('/')).toMatchObject({ status: 500, body: { code: 'UNAVAILABLE' } })
  const up = once(store, 'up')
  open.push(await DevServer.start({ port: server.port }))
  await up
  expect((await visitor.get('/')).body).toBe(1)
  expect(events).toStrictEqual([])
})

test('with whenDown: anonymous, requests are served without a session until the cluster is back', async () => {
  const server = await DevServer.start()
  const store = new AerospikeStore({ hosts: server.hosts, timeout: 1_000, whenDown: 'anonymous' })
  const events = recordEvents(store)
  const visitor = await shop(store)
  expect((await visitor.get('/')).body).toBe(1)
  expect((await visitor.get('/')).body).toBe(2)
  expect(events).toStrictEqual([])

  const gone = once(store, 'disconnect')
  await server.stop()
  await gone
  expect(await visitor.get('/')).toStrictEqual({ status: 200, body: 'anonymous' })

  const back = once(store, 'connect')
  open.push(await DevServer.start({ port: server.port }))
  await back
  expect((await visitor.get('/')).body).toBe(1)
  expect(events).toStrictEqual(['disconnect', 'connect'])
})

test.each([
  ['stops', server => server.stop(), server => DevServer.start({ port: server.port })],
  ['freezes', server => server.freeze(0), server => server.thaw(0)]
])('with whenDown: anonymous, pending requests are served without a session when the cluster %s', async (_, lose, restore) => {
  const server = await DevServer.start()
  const store = new AerospikeStore({ hosts: server.hosts, timeout: 1_000, whenDown: 'anonymous' })
  const first = await shop(store)
  const visitors = Array.from({ length: 50 }, () => new Visitor(first.url))
  for (const visitor of visitors) expect((await visitor.get('/')).body).toBe(1)
  const cookies = visitors.map(visitor => new Map(visitor.cookies))

  // All visitors repeat their requests until the store has noticed the outage.
  const gone = once(store, 'disconnect')
  await lose(server)
  const over = new AbortController()
  gone.then(() => over.abort())
  const answers = await Promise.all(visitors.map(async visitor => {
    const seen = []
    do seen.push(await visitor.get('/'))
    while (!over.signal.aborted)
    seen.push(await visitor.get('/'))
    return seen
  }))
  expect(answers.flat()).toStrictEqual(answers.flat().map(() => ({ status: 200, body: 'anonymous' })))

  const back = once(store, 'connect')
  const restored = await restore(server)
  open.push(restored ?? server)
  await back
  // No browser has lost its cookie.
  expect(visitors.map(visitor => new Map(visitor.cookies))).toStrictEqual(cookies)
  expect((await visitors[0].get('/')).body).toBe(restored === undefined || restored === server ? 2 : 1)
}, 30_000)

test('with whenDown: anonymous, a cluster that was never reachable counts as down', async () => {
  const server = await DevServer.start()
  await server.stop()
  const store = new AerospikeStore({ hosts: server.hosts, whenDown: 'anonymous' })
  await once(store, 'disconnect')
  // A listener that is added late is called, too.
  const visitor = await shop(store)
  await new Promise(resolve => process.nextTick(resolve))
  expect((await visitor.get('/')).body).toBe('anonymous')
  const back = once(store, 'connect')
  open.push(await DevServer.start({ port: server.port }))
  await back
  expect((await visitor.get('/')).body).toBe(1)
})

test('a shared client that is already connected counts as connected', async () => {
  const server = await DevServer.start()
  const client = new SessionStore({ hosts: server.hosts })
  open.push(server, client)
  await client.ready()
  const store = new AerospikeStore({ client, whenDown: 'anonymous' })
  const events = recordEvents(store)
  const visitor = await shop(store)
  expect((await visitor.get('/')).body).toBe(1)
  expect(events).toStrictEqual([])
})
