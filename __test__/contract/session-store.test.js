'use strict'

const { AsyncLocalStorage } = require('node:async_hooks')
const { setTimeout: pass } = require('node:timers/promises')
const { SessionStore } = require('../..')
const { hosts, openSessions, hasNoTtlNamespace } = require('../support/server')

const sessions = openSessions()

describe('a session', () => {
  const data = { userId: 'user-1', role: 'admin', loginTime: 1767225600000, cart: [{ sku: 'a', n: 2 }], note: null }

  test('is returned as it was saved', async () => {
    await sessions.save('plain', data)
    expect(await sessions.get('plain')).toStrictEqual(data)
  })

  test('that was never saved is null', async () => {
    expect(await sessions.get('never')).toBeNull()
    expect(await sessions.has('never')).toBe(false)
  })

  test('that was saved again has the last data', async () => {
    await sessions.save('twice', { a: 1, b: 2 })
    await sessions.save('twice', { b: 3 })
    expect(await sessions.get('twice')).toStrictEqual({ b: 3 })
  })

  test('without data is an empty object, not null', async () => {
    await sessions.save('empty', {})
    expect(await sessions.get('empty')).toStrictEqual({})
    expect(await sessions.has('empty')).toBe(true)
  })

  test('is gone after a delete, which returns whether it existed', async () => {
    await sessions.save('deleted', data)
    expect(await sessions.delete('deleted')).toBe(true)
    expect(await sessions.get('deleted')).toBeNull()
    expect(await sessions.has('deleted')).toBe(false)
    expect(await sessions.delete('deleted')).toBe(false)
  })

  test('is written and read in the order of the calls, without awaiting each', async () => {
    const answers = [
      sessions.save('ordered', { step: 1 }), sessions.get('ordered'),
      sessions.save('ordered', { step: 2 }), sessions.get('ordered'),
      sessions.delete('ordered'), sessions.get('ordered'), sessions.has('ordered')
    ]
    expect(await Promise.all(answers)).toStrictEqual([
      undefined, { step: 1 }, undefined, { step: 2 }, true, null, false
    ])
  })

  test('is stored as JSON.stringify converts its data', async () => {
    const odd = {
      undefined,
      func () {},
      date: new Date(0),
      nan: NaN,
      list: [undefined, () => {}],
      own: { toJSON: () => 'its own' },
      zero: -0
    }
    await sessions.save('odd', odd)
    expect(await sessions.get('odd')).toStrictEqual(JSON.parse(JSON.stringify(odd)))
  })

  test('has the data from the time of the call, even if the object changes later', async () => {
    const live = { step: 1 }
    const saved = sessions.save('live', live)
    live.step = 2
    await saved
    expect(await sessions.get('live')).toStrictEqual({ step: 1 })
  })
})

describe('the lifetime of a session', () => {
  test('ends after its ttl, to the millisecond and not to the second', async () => {
    await sessions.save('brief', { a: 1 }, { ttl: 0.3 })
    expect(await sessions.get('brief')).toStrictEqual({ a: 1 })
    await pass(320)
    expect(await sessions.get('brief')).toBeNull()
    expect(await sessions.has('brief')).toBe(false)
    expect(await sessions.delete('brief')).toBe(false)
  })

  test('is extended by a touch, which keeps the data', async () => {
    await sessions.save('touched', { a: 1 }, { ttl: 0.5 })
    expect(await sessions.touch('touched', { ttl: 60 })).toBe(true)
    await pass(600)
    expect(await sessions.get('touched')).toStrictEqual({ a: 1 })
  })

  test('is shortened by a touch with a shorter ttl', async () => {
    await sessions.save('cut', { a: 1 }, { ttl: 60 })
    expect(await sessions.touch('cut', { ttl: 0.2 })).toBe(true)
    await pass(220)
    expect(await sessions.get('cut')).toBeNull()
  })

  test('is not renewed by a touch after it has expired', async () => {
    await sessions.save('ended', { a: 1 }, { ttl: 0.1 })
    await pass(120)
    expect(await sessions.touch('ended', { ttl: 60 })).toBe(false)
    expect(await sessions.get('ended')).toBeNull()
  })

  test('is not started by a touch', async () => {
    expect(await sessions.touch('nobody')).toBe(false)
    expect(await sessions.has('nobody')).toBe(false)
  })
})

describe('if the namespace refuses TTLs', () => {
  let present
  beforeAll(async () => { present = await hasNoTtlNamespace() })

  test('sessions are saved and touched anyway, expire on time, and one warning is emitted', async () => {
    if (!present) return console.warn('not run: the cluster has no namespace nottl')
    const refused = openSessions({ namespace: 'nottl' })
    const warnings = []
    refused.on('warning', warning => warnings.push(warning))

    await refused.save('a', { a: 1 }, { ttl: 60 })
    expect(await refused.get('a')).toStrictEqual({ a: 1 })
    expect(await refused.touch('a', { ttl: 0.3 })).toBe(true)
    await refused.save('b', { b: 1 }, { ttl: 0.3 })
    await pass(320)
    expect(await refused.get('a')).toBeNull()
    expect(await refused.get('b')).toBeNull()
    expect(await refused.touch('a', { ttl: 60 })).toBe(false)
    expect(await refused.has('b')).toBe(false)

    expect(warnings).toHaveLength(1)
    expect(warnings[0].code).toBe('TTL_REFUSED')
    expect(warnings[0].message).toMatch(/nsup-period/)
  })

  test('a touch that is the first refused write succeeds', async () => {
    if (!present) return console.warn('not run: the cluster has no namespace nottl')
    const set = openSessions({ namespace: 'nottl' })
    set.on('warning', () => {})
    await set.save('a', { a: 1 })
    const other = new SessionStore({ hosts: hosts(), namespace: 'nottl', set: 'no-such-set' })
    const warned = new Promise(resolve => other.once('warning', resolve))
    expect(await other.touch('a')).toBe(false)
    await other.save('a', { a: 1 })
    expect((await warned).code).toBe('TTL_REFUSED')
    expect(await other.touch('a')).toBe(true)
    expect(await other.delete('a')).toBe(true)
    await other.close()
  })
})

describe('a callback', () => {
  const calls = {
    save: done => sessions.save('called', { a: 1 }, done),
    'save with options': done => sessions.save('called', { a: 1 }, { ttl: 60 }, done),
    get: done => sessions.get('called', done),
    touch: done => sessions.touch('called', done),
    'touch with options': done => sessions.touch('called', { ttl: 60 }, done),
    has: done => sessions.has('called', done),
    delete: done => sessions.delete('called', done),
    ready: done => sessions.ready(done)
  }

  test.each(Object.keys(calls))('of %s is called once, asynchronously, and no promise is returned', async name => {
    let count = 0
    let returned = 'not yet'
    const args = await new Promise(resolve => {
      returned = calls[name]((...args) => { count += 1; resolve(args) })
      expect(count).toBe(0)
    })
    expect(returned).toBeUndefined()
    expect(args[0]).toBeNull()
    await pass(20)
    expect(count).toBe(1)
  })

  test('gets the answer as its second argument', done => {
    sessions.save('answer', { a: 1 }, error => {
      expect(error).toBeNull()
      sessions.get('answer', (error, data) => {
        expect(error).toBeNull()
        expect(data).toStrictEqual({ a: 1 })
        done()
      })
    })
  })

  test('runs in the AsyncLocalStorage context of its call', async () => {
    const storage = new AsyncLocalStorage()
    const seen = await Promise.all([1, 2, 3].map(n => storage.run(n, () => new Promise(resolve => {
      sessions.get('context', () => resolve(storage.getStore()))
    }))))
    expect(seen).toStrictEqual([1, 2, 3])
    expect(await storage.run(4, async () => { await sessions.get('context'); return storage.getStore() })).toBe(4)
    const failed = await storage.run(5, () => new Promise(resolve => {
      sessions.get('', () => resolve(storage.getStore()))
    }))
    expect(failed).toBe(5)
  })

  test('that is not a function is rejected at once', () => {
    expect(() => sessions.get('a', 5)).toThrow(expect.objectContaining({ code: 'BAD_OPTION' }))
  })
})

describe('two stores', () => {
  test("with different prefixes share a set without seeing each other's sessions", async () => {
    const one = openSessions({ prefix: 'one:' })
    const set = 'prefixes-' + process.pid
    const a = openSessions({ set, prefix: 'a:' })
    const b = openSessions({ set, prefix: 'b:' })
    await a.save('same', { from: 'a' })
    await b.save('same', { from: 'b' })
    expect(await a.get('same')).toStrictEqual({ from: 'a' })
    expect(await b.get('same')).toStrictEqual({ from: 'b' })
    await a.delete('same')
    expect(await b.get('same')).toStrictEqual({ from: 'b' })
    expect(await one.get('same')).toBeNull()
  })

  test('of the same set see the same sessions', async () => {
    const set = 'shared-' + process.pid
    const a = openSessions({ set })
    const b = openSessions({ set })
    await a.save('same', { n: 1 })
    expect(await b.get('same')).toStrictEqual({ n: 1 })
  })
})
