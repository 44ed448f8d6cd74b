'use strict'

// `aerospike-session sessions`, in its own process.

const { once } = require('node:events')
const { AerospikeStore } = require('../..')
const { DevServer } = require('../../exports/dev-server')
const collidingUsers = require('../support/colliding-users')
const { CLI, ended, launch, noTerminal, run, runOnTerminal } = require('../support/cli')
const { OfficialClient } = require('../support/official-client')
const { freshSet, hosts, openStore } = require('../support/server')

// Some tests run several processes, one after the other.
jest.setTimeout(60_000)

const SECRET = 'a secret of at least 16 bytes'

/** Opens a store on its own set, and returns a command line for the same set. */
function open (options = {}) {
  const set = freshSet()
  const store = openStore({ set, user: 'userId', ...options })
  const where = ['--hosts', hosts(), '--set', set]
  return { set, store, where, sessions: (args, how) => run(['sessions', ...args, ...where], how) }
}

function save (store, ids, data = {}) {
  return Promise.all(ids.map(id => store.set(id, { cookie: {}, ...data })))
}

const numbered = (count, name = 's') => Array.from({ length: count }, (_, n) => `${name}${n}`)
/** The hint about option prefix. */
const NONE = expect.stringMatching(/^There is none of stores without option prefix\. .*--prefix TEXT\.\n$/)
const lines = out => out.split('\n').filter(Boolean)

describe.each([
  ['plain', 'with the index', {}, true], ['plain', 'without the index', {}, false],
  ['hashed', 'with the index', { hashIds: SECRET }, true], ['hashed', 'without the index', { hashIds: SECRET }, false]
])('users whose names collide in the index, %s and %s', (_, __, options, indexed) => {
  test.each(collidingUsers)('are counted and logged out separately: %s', async (victim, attacker) => {
    const { set, store, sessions } = open(options)
    const hashed = options.hashIds === undefined ? [] : ['--hash-ids']
    const ask = (...args) => sessions([...args, ...hashed], { env: { AEROSPIKE_HASH_IDS: SECRET } })
    if (indexed) await store.createUserIndex()
    await save(store, ['v1', 'v2'], { userId: victim })
    await save(store, ['a1'], { userId: attacker })
    for (const [user, count] of [[victim, 2], [attacker, 1]]) expect((await ask('count', '--of', user)).out).toBe(`${count}\n`)
    expect((await ask('destroy-user', attacker)).out).toBe('1 session removed\n')
    expect((await ask('count', '--of', victim)).out).toBe('2\n')
    if (!indexed) return
    const official = await OfficialClient.connect(hosts())
    await official.removeIndex('test', `user-${set}`)
    await official.close()
  })
})

describe('sessions count', () => {
  test('counts all sessions of the set', async () => {
    const { store, sessions } = open()
    expect(await sessions(['count'])).toEqual({ code: 0, out: '0\n', err: NONE })
    await save(store, numbered(300))
    expect(await sessions(['count'])).toEqual({ code: 0, out: '300\n', err: '' })
    expect(await sessions(['count', '--json'])).toEqual({ code: 0, out: '{"sessions":300}\n', err: '' })
  })

  test('counts the sessions with a prefix', async () => {
    const { set, store, sessions } = open()
    const shop = openStore({ set, prefix: 'shop:' })
    await save(store, ['a'])
    await save(shop, ['b', 'c'])
    expect((await sessions(['count'])).out).toBe('1\n')
    expect((await sessions(['count', '--prefix', 'shop:'])).out).toBe('2\n')
  })

  test('counts the sessions of a user, and reports if there is no index', async () => {
    const { store, sessions } = open()
    await save(store, ['a', 'b'], { userId: 'ada' })
    await save(store, ['c'], { userId: 'bob' })
    const slow = await sessions(['count', '--of', 'ada'])
    expect(slow).toMatchObject({ code: 0, out: '2\n', err: expect.stringMatching(/^There is no index on bin 'user'.*createUserIndex.*\n$/) })
    await store.createUserIndex()
    expect(await sessions(['count', '--of', 'ada'])).toEqual({ code: 0, out: '2\n', err: '' })
  })
})

describe('sessions list', () => {
  test('prints the ids of sessions that were stored with them, one per line', async () => {
    const { store, sessions } = open({ storeIds: true })
    const ids = numbered(200)
    await save(store, ids)
    const { code, out, err } = await sessions(['list'])
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(lines(out).sort()).toEqual(ids.sort())
    expect(JSON.parse((await sessions(['list', '--json'])).out).ids.sort()).toEqual(ids)
  })

  test('reports how many sessions it cannot list, and why', async () => {
    const { set, store, sessions } = open()
    await save(store, ['a', 'b'])
    const none = await sessions(['list'])
    expect(none).toMatchObject({ code: 0, out: '', err: expect.stringMatching(/^2 of 2 sessions are not listed: .*storeIds\.\n$/) })
    await save(openStore({ set, storeIds: true }), ['c'])
    const one = await sessions(['list'])
    expect(one).toMatchObject({ code: 0, out: 'c\n', err: expect.stringMatching(/^2 of 3 sessions/) })
    expect(JSON.parse((await sessions(['list', '--json'])).out)).toEqual({ ids: ['c'], withoutId: 2 })
  })

  test('escapes control characters', async () => {
    const { store, sessions } = open({ storeIds: true })
    await save(store, ['a\u001b[2Jb\nc'])
    expect((await sessions(['list'])).out).toBe('a\\u001b[2Jb\\u000ac\n')
  })

  test('exits without an error when the reader closes the pipe', async () => {
    const { store, where } = open({ storeIds: true })
    await save(store, numbered(2_000, 'x'.repeat(100)))
    const child = launch(process.execPath, [CLI, 'sessions', 'list', ...where])
    const end = ended(child)
    await once(child.stdout, 'data')
    child.stdout.destroy()
    expect(await end).toMatchObject({ code: 0, err: '' })
  })
})

describe('sessions destroy-user', () => {
  test('removes only the sessions of the user', async () => {
    const { store, sessions } = open()
    await store.createUserIndex()
    await save(store, ['a', 'b'], { userId: 'ada' })
    await save(store, ['c'], { userId: 'bob' })
    expect(await sessions(['destroy-user', 'ada'])).toEqual({ code: 0, out: '2 sessions removed\n', err: '' })
    expect(await store.get('a')).toBeNull()
    expect(await store.get('c')).toMatchObject({ userId: 'bob' })
    expect(await sessions(['destroy-user', 'bob'])).toEqual({ code: 0, out: '1 session removed\n', err: '' })
    expect(await sessions(['destroy-user', 'bob', '--json'])).toEqual({ code: 0, out: '{"removed":0}\n', err: NONE })
    expect(await sessions(['destroy-user', 'bob', '--prefix', 'shop:'])).toEqual({ code: 0, out: '0 sessions removed\n', err: '' })
  })

  test('finds the sessions of a store with hashIds by its secret', async () => {
    const { store, sessions } = open({ hashIds: SECRET })
    await save(store, ['a'], { userId: 'ada' })
    expect((await sessions(['destroy-user', 'ada'])).out).toBe('0 sessions removed\n')
    const env = { AEROSPIKE_HASH_IDS: SECRET }
    const { code, out, err } = await sessions(['destroy-user', 'ada', '--hash-ids'], { env })
    expect({ code, out }).toEqual({ code: 0, out: '1 session removed\n' })
    expect(err).not.toContain(SECRET)
    expect(await store.get('a')).toBeNull()
  })

  test('leaves tombstones with --tombstones', async () => {
    const { set, store, sessions } = open()
    await save(store, ['a'], { userId: 'ada' })
    expect((await sessions(['destroy-user', 'ada', '--tombstones'])).out).toBe('1 session removed\n')
    expect(await store.get('a')).toBeNull()
    const official = await OfficialClient.connect(hosts())
    const left = await official.get('test', set, 'a').catch(error => error)
    official.close()
    expect(left.bins).toStrictEqual({ data: 0 })
  })
})

describe('on a terminal', () => {
  const missing = noTerminal()
  const there = missing === undefined ? test : test.skip
  if (missing !== undefined) console.warn(`skipped: ${missing}`)

  there('a long scan says how far it is, and takes that away at its end', async () => {
    const server = await DevServer.start()
    const store = new AerospikeStore({ hosts: server.hosts })
    try {
      await save(store, numbered(50))
      await server.inject({ kind: 'latency', on: 'query', ms: 200 })
      const args = ['sessions', 'count', '--hosts', server.hosts]
      const { code, out } = await runOnTerminal(args)
      expect(code).toBe(0)
      expect(out).toMatch(/\d+ % of the set looked at, \d+ sessions/)
      // The progress line is erased before the answer is printed.
      expect(out).toMatch(/\r\u001b\[K50\r?\n$/) // eslint-disable-line no-control-regex
      expect(await run(args)).toEqual({ code: 0, out: '50\n', err: '' })
    } finally {
      await store.close()
      await server.stop()
    }
  })
})

test('exits with 1 and a message if there is no server', async () => {
  const server = await DevServer.start()
  const where = server.hosts
  await server.stop()
  for (const args of [['count'], ['list'], ['destroy-user', 'ada']]) {
    const { code, out, err } = await run(['sessions', ...args, '--hosts', where])
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toMatch(/^aerospike-session: .*no Aerospike node could be reached.*\n$/)
  }
})

test('sessions --help prints the commands and exit codes', async () => {
  const { code, out, err } = await run(['sessions', '--help'])
  expect({ code, err }).toEqual({ code: 0, err: '' })
  for (const word of ['count', 'list', 'destroy-user USER', '--hosts', 'AEROSPIKE_PASSWORD', 'storeIds', 'Exit codes']) expect(out).toContain(word)
})

test.each([
  [[], 'needs a command'],
  [['purge'], "'purge' is nothing"],
  [['toString'], "'toString' is nothing"],
  [['count', 'ada'], "no argument 'ada'"],
  [['list', '--of', 'ada'], '--of belongs to count'],
  [['list', '--hash-ids'], 'nothing to list'],
  [['destroy-user'], 'needs the user'],
  [['destroy-user', 'ada', 'bob'], "no argument 'bob'"],
  [['destroy-user', 'ada', '--hash-ids'], 'AEROSPIKE_HASH_IDS'],
  [['destroy-user', 'ada', '--tombstones', '--durable-delete'], 'choose one'],
  [['count', '--set', 'a b'], "option 'set'"],
  [['count', '--rounds', '3'], "'--rounds'"]
])('exits with 2 and a message for %j', async (args, words) => {
  const { code, out, err } = await run(['sessions', ...args])
  expect({ code, out }).toEqual({ code: 2, out: '' })
  expect(err).toMatch(/^aerospike-session: .*\n$/)
  expect(err).toContain(words)
})
