'use strict'

// Many operations at once are sent in batches. Each has the same result as if it were sent alone.

const { SessionStore } = require('../..')
const { openSessions, openStore, hasNoTtlNamespace } = require('../support/server')
const { WireTap } = require('../support/wire-tap')

const MANY = 2_000
const id = n => `session-${n}`
const all = use => Promise.all(Array.from({ length: MANY }, (_, n) => use(n)))

test('each of many operations gets its own answer', async () => {
  const sessions = openSessions()
  await all(n => sessions.save(id(n), { n, text: `ü${n}` }))
  expect(await all(n => sessions.get(id(n)))).toEqual(await all(n => ({ n, text: `ü${n}` })))
  expect(await all(n => n % 2 === 0 ? sessions.delete(id(n)) : sessions.touch(id(n)))).toEqual(new Array(MANY).fill(true))
  expect(await all(n => sessions.has(id(n)))).toEqual(await all(n => n % 2 === 1))
})

test('operations on one session keep their order among many', async () => {
  const sessions = openSessions()
  const answers = []
  await all(async n => {
    const save = sessions.save(id(n), { n })
    const first = sessions.get(id(n))
    const remove = sessions.delete(id(n))
    const second = sessions.get(id(n))
    await Promise.all([save, remove])
    answers[n] = [await first, await second]
  })
  expect(answers).toEqual(await all(n => [{ n }, null]))
})

test('a failed operation does not affect the others', async () => {
  const sessions = openSessions()
  const outcomes = await Promise.allSettled(Array.from({ length: 300 }, (_, n) =>
    sessions.save(id(n), n % 100 === 50 ? { big: 'x'.repeat(1_100_000) } : { n })))
  const failed = outcomes.map(({ reason }, n) => reason && [n, reason.code]).filter(Boolean)
  expect(failed).toEqual([[50, 'TOO_BIG'], [150, 'TOO_BIG'], [250, 'TOO_BIG']])
  expect(await sessions.get(id(51))).toEqual({ n: 51 })
})

test('sessions of Express lose no change under load', async () => {
  const store = openStore()
  const cookie = { originalMaxAge: 60_000, expires: new Date(Date.now() + 60_000), path: '/' }
  const requests = n => [0, 1].map(() => ({ sessionID: id(n), sessionStore: store }))
  await all(n => store.set(id(n), { cookie, n }))
  await all(async n => {
    const [one, two] = await Promise.all(requests(n).map(async req => store.createSession(req, await store.get(id(n)))))
    one.a = n
    two.b = n
    await Promise.all([store.set(id(n), one), store.set(id(n), two)])
  })
  const found = await all(n => store.get(id(n)))
  expect(found.map(({ cookie, ...data }) => data)).toEqual(await all(n => ({ n, a: n, b: n })))
})

test('a refused TTL is noticed in a batch, too', async () => {
  if (!await hasNoTtlNamespace()) return
  const sessions = openSessions({ namespace: 'nottl' })
  sessions.on('warning', () => {})
  await all(n => sessions.save(id(n), { n }, { ttl: 60 }))
  expect(await all(n => sessions.get(id(n)))).toEqual(await all(n => ({ n })))
})

test('fewer requests than operations are sent, and equal waiting reads are sent once', async () => {
  const tap = await WireTap.start()
  const sessions = new SessionStore({ hosts: tap.hosts })
  try {
    await sessions.ready()
    const sent = await tap.during(() => all(n => sessions.save(id(n), { n })))
    expect(sent.length).toBeLessThan(MANY / 4)
    const read = await tap.during(async () => {
      expect(await all(() => sessions.get(id(1)))).toEqual(new Array(MANY).fill({ n: 1 }))
    })
    expect(read.length).toBeLessThan(MANY / 4)
  } finally {
    await sessions.close()
    await tap.stop()
  }
})
