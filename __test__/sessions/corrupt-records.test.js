'use strict'

// Corrupt records and records of other clients in the set: wrong types in bins and bytes that no client could read. Such a record
// is a session, no session, or an error. It never hangs or ends the process, and does not affect other sessions.

const { spawn } = require('node:child_process')
const { once } = require('node:events')
const { AerospikeStore, SessionStore } = require('../..')
const { cookie } = require('../support/cookie')
const { startTypeSpoofingServer } = require('../support/proxied-server')
const { putRaw } = require('../support/raw-record')
const { hosts, freshSet, openSessions, openStore } = require('../support/server')

const caught = promise => promise.then(value => ({ value }), error => ({ code: error.code }))

const integer = number => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(BigInt(number))
  return ['integer', bytes]
}
const geojson = text => ['geojson', Buffer.concat([Buffer.alloc(3), Buffer.from(text)])]

/** Values that other clients may have put into a bin. */
const VALUES = {
  'an integer': integer(5),
  'the largest integer': integer(2n ** 63n - 1n),
  'the least integer': integer(-(2n ** 63n)),
  'a double': ['double', Buffer.from('3ff8000000000000', 'hex')],
  'a double that is no number': ['double', Buffer.from('7ff8000000000000', 'hex')],
  'a text': ['string', Buffer.from('a text')],
  'an empty text': ['string', Buffer.alloc(0)],
  'the JSON of a list': ['string', Buffer.from('[1,2]')],
  'the JSON of an object and more': ['string', Buffer.from('{"a":1}}')],
  'JSON nested deeper than we write': ['string', Buffer.from('{"a":'.repeat(999) + '1' + '}'.repeat(999))],
  'JSON nested too deep': ['string', Buffer.from('{"a":'.repeat(1_001) + '1' + '}'.repeat(1_001))],
  'JSON nested a hundred thousand deep': ['string', Buffer.from('{"a":'.repeat(100_000) + '1' + '}'.repeat(100_000))],
  'a text that is no UTF-8': ['string', Buffer.from('caf\xe9', 'latin1')],
  bytes: ['blob', Buffer.from([0, 1, 255])],
  'no bytes': ['blob', Buffer.alloc(0)],
  true: ['bool', Buffer.from([1])],
  'a list': ['list', Buffer.from('9201a20361', 'hex')],
  'an empty list': ['list', Buffer.from('90', 'hex')],
  'a map of numbers': ['map', Buffer.from('820102c00a', 'hex')],
  'a map of bytes': ['map', Buffer.from('81a204ffa204fe', 'hex')],
  'a point': geojson('{"type":"Point","coordinates":[1,2]}'),
  'a sketch': ['hll', Buffer.from('0004000000000000000000000000000000000000000000000000', 'hex')]
}
const BINS = ['data', 'cookie', 'expires', 'created', 'user', 'prefix', 'session']
/** AS_ERR_PARAMETER, AS_ERR_UNSUPPORTED_FEATURE, AS_ERR_INCOMPATIBLE_TYPE: the server itself rejects some values. */
const REFUSED = [4, 16, 12, 1]

/** A session as another language writes it, except for one bin. */
const sound = () => ({
  data: ['map', Buffer.from('81a20361a20362', 'hex')],
  expires: integer(Date.now() + 60_000)
})

/** Checks the result of an operation on such a record. */
function isOutcome ({ value, code }) {
  if (code !== undefined) return code === 'BAD_DATA'
  return value === null || value === undefined || typeof value === 'boolean' || (typeof value === 'object' && !Array.isArray(value))
}

describe.each(BINS)('bin %s', bin => {
  const set = freshSet()
  const sessions = openSessions({ set })
  const store = openStore({ set, user: 'owner' })
  const bounded = openStore({ set, absoluteTtl: 3_600 })
  store.on('warning', () => {})

  test.each(Object.keys(VALUES))('with %s is a session, no session, or BAD_DATA, and can be replaced and removed', async what => {
    const put = () => putRaw(hosts(), ['test', set, 'odd'], { ...sound(), [bin]: VALUES[what] })
    const answered = await put()
    if (REFUSED.includes(answered)) return
    expect(answered).toBe(0)
    await store.set('good', { cookie: cookie(60_000), owner: 'ada', n: 1 })

    const outcomes = await Promise.all([
      sessions.get('odd'), sessions.has('odd'), store.get('odd'), sessions.get('good'), store.get('good'),
      sessions.touch('odd', { ttl: 60 }), store.touch('odd', { cookie: cookie(60_000) })
    ].map(caught))
    for (const outcome of outcomes) expect(outcome).toSatisfy(isOutcome)
    // Parallel reads of other sessions are not affected.
    expect(outcomes[3]).toEqual({ value: { owner: 'ada', n: 1 } })
    expect(outcomes[4].value).toMatchObject({ owner: 'ada', n: 1 })

    // Lists of all sessions are not affected.
    const found = [await store.all(), await store.sessionsOf('ada')]
    const walked = []
    for await (const one of store.sessions()) walked.push(one)
    for (const all of [...found, walked]) expect(all.filter(one => one.owner === 'ada')).toHaveLength(1)
    expect([1, 2]).toContain(await store.length())
    expect(await store.countOf('ada')).toBe(1)
    expect(await store.prune()).toBeLessThanOrEqual(1)

    // The data that was read can be changed and set.
    await put()
    const { value } = await caught(store.get('odd'))
    if (value) {
      value.changed = true
      expect(await caught(store.set('odd', value))).toSatisfy(isOutcome)
    }
    // With a string in bin `prefix` it is the record of another store: prefixes.test.js.
    if (bin === 'prefix' && VALUES[what][0] === 'string') {
      await expect(store.set('odd', { cookie: cookie(60_000) })).rejects.toMatchObject({ code: 'BAD_KEY' })
      await expect(sessions.save('odd', {})).rejects.toMatchObject({ code: 'BAD_KEY' })
      expect(await sessions.delete('odd')).toBe(false)
      return
    }
    // A session can replace any such record.
    await put()
    await store.set('odd', { cookie: cookie(60_000), owner: 'bob' })
    expect(await store.get('odd')).toMatchObject({ owner: 'bob' })
    await put()
    await sessions.save('odd', { saved: 1 })
    await put()
    await bounded.set('odd', { cookie: cookie(60_000), owner: 'eve' })

    await put()
    await store.destroy('odd')
    expect(await store.get('odd')).toBeNull()
    await put()
    expect(await caught(sessions.delete('odd'))).toSatisfy(isOutcome)
    expect(await sessions.get('odd')).toBeNull()
    await put()
    await store.clear()
    await sessions.delete('odd')
    expect(await store.length()).toBe(0)
  })
})

test('a tombstone replaces an unreadable record', async () => {
  const set = freshSet()
  const store = openStore({ set, tombstones: true })
  for (const bin of ['data', 'expires']) {
    await putRaw(hosts(), ['test', set, 'odd'], { ...sound(), [bin]: VALUES['a text that is no UTF-8'] })
    await store.destroy('odd')
    expect(await store.get('odd')).toBeNull()
    expect(await store.length()).toBe(0)
  }
})

test('a filter treats a bin of the wrong type like a read does: as missing', async () => {
  const set = freshSet()
  const store = openStore({ set })
  const sessions = openSessions({ set })
  await putRaw(hosts(), ['test', set, 'odd'], { ...sound(), expires: VALUES['a text'], created: VALUES['a list'] })
  expect(await sessions.get('odd')).toStrictEqual({ a: 'b' })
  expect(await store.length()).toBe(1)
  expect(await sessions.touch('odd')).toBe(true)
})

describe('other sessions that are read together with an unreadable record', () => {
  test('are returned as if they were read alone, a hundred at once', async () => {
    const set = freshSet()
    const sessions = openSessions({ set })
    await Promise.all(Array.from({ length: 100 }, (_, n) => sessions.save(`s${n}`, { n })))
    await putRaw(hosts(), ['test', set, 'odd'], { data: VALUES['a text that is no UTF-8'] })
    const reads = Array.from({ length: 100 }, (_, n) => [sessions.get(`s${n}`), n % 10 ? undefined : caught(sessions.get('odd'))])
    for (const [n, [good, odd]] of reads.entries()) {
      expect(await good).toStrictEqual({ n })
      if (odd !== undefined) expect(await odd).toEqual({ code: 'BAD_DATA' })
    }
    await sessions.delete('odd')
  })
})

describe('a record with unlimited nesting', () => {
  // The dev server cannot store one, but a real server can. So bytes are stored, and a proxy changes their type.
  test.each([['list', '91'], ['map', '81c0']])('as %s is BAD_DATA, alone and in lists', async (type, level) => {
    const server = await startTypeSpoofingServer({ data: type })
    const sessions = new SessionStore({ hosts: server.hosts, set: 'deep' })
    const store = new AerospikeStore({ client: sessions })
    await store.set('good', { cookie: cookie(60_000), n: 1 })
    const levels = Buffer.from(level.repeat(1_000_000 / (level.length / 2)), 'hex')
    await putRaw(server.server.hosts, ['test', 'deep', 'deep'], { data: ['blob', Buffer.concat([levels, Buffer.from([0xc0])])] })
    expect(await caught(sessions.get('deep'))).toEqual({ code: 'BAD_DATA' })
    expect(await caught(store.get('deep'))).toEqual({ code: 'BAD_DATA' })
    expect(await store.all()).toMatchObject([{ n: 1 }])
    await sessions.delete('deep')
    await sessions.close()
    await server.stop()
  })
})

/** Runs in its own process: returns the process's memory in MB before and after it reads a deep record. */
async function readDeep (main, options) {
  const { SessionStore } = require(main)
  const sessions = new SessionStore(options)
  sessions.on('warning', () => {})
  const resident = () => Math.round(process.memoryUsage.rss() / 2 ** 20)
  await sessions.get('none')
  const before = resident()
  const seen = []
  for (let n = 0; n < 3; n++) {
    const { code } = await sessions.get('deep').catch(error => error)
    const then = resident()
    await new Promise(resolve => setTimeout(resolve, 200))
    seen.push({ code, grew: then - before, kept: resident() - before })
  }
  await sessions.close()
  console.log(JSON.stringify(seen))
}

// Some systems report freed memory late.
const onLinux = process.platform === 'linux' ? test : test.skip

onLinux('the memory that a record nested a million levels deep takes is given back', async () => {
  const server = await startTypeSpoofingServer({ data: 'list' })
  const levels = Buffer.concat([Buffer.alloc(1_000_000, 0x91), Buffer.from([0xc0])])
  await putRaw(server.server.hosts, ['test', 'deep', 'deep'], { data: ['blob', levels] })
  const given = [require.resolve('../..'), { hosts: server.hosts, set: 'deep', ioThread: 'always' }].map(value => JSON.stringify(value))
  const child = spawn(process.execPath, ['-e', `(${readDeep})(${given})`], { stdio: ['ignore', 'pipe', 'inherit'] })
  let out = ''
  child.stdout.on('data', data => { out += data })
  expect(await once(child, 'close')).toEqual([0, null])
  for (const { code, grew, kept } of JSON.parse(out)) {
    expect(code).toBe('BAD_DATA')
    // Measured: 330 on one node, 183 on three nodes on the same machine.
    expect(grew).toBeGreaterThan(hosts().includes(',') ? 100 : 250)
    // The allocator holds the record itself: about 80 MB.
    expect(kept).toBeLessThan(150)
  }
  await server.stop()
}, 30_000)

expect.extend({
  toSatisfy (received, predicate) {
    return { pass: predicate(received), message: () => `${this.utils.printReceived(received)} is not what may come of it` }
  }
})
