'use strict'

// `aerospike-session sessions`, in its own process.

const { once } = require('node:events')
const { AerospikeStore } = require('../..')
const { DevServer } = require('../../exports/dev-server')
const collidingUsers = require('../support/colliding-users')
const { CLI, ended, launch, noTerminal, run, runOnTerminal } = require('../support/cli')
const { OfficialClient } = require('../support/official-client')
const { freshSet, hasNoTtlNamespace, hosts, openStore } = require('../support/server')

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

describe('sessions destroy', () => {
  test('removes one session by its id', async () => {
    const { store, sessions } = open()
    await save(store, ['a', 'b'])
    expect(await sessions(['destroy', 'a', '--dry-run'])).toEqual({ code: 0, out: '1 session would be removed\n', err: '' })
    expect(await store.get('a')).not.toBeNull()
    expect(await sessions(['destroy', 'a'])).toEqual({ code: 0, out: '1 session removed\n', err: '' })
    expect([await store.get('a'), await store.get('b')]).toEqual([null, expect.anything()])
    expect(await sessions(['destroy', 'a', '--json'])).toEqual({ code: 0, out: '{"removed":0}\n', err: '' })
    expect(await sessions(['destroy', 'a', '--json', '--dry-run'])).toEqual({ code: 0, out: '{"wouldRemove":0}\n', err: '' })
  })

  test('removes one session by the digest of its key', async () => {
    const { store, sessions } = open()
    await save(store, ['a', 'b'])
    const digest = store.digestOf('a')
    expect(await sessions(['destroy', '--digest', digest, '--dry-run'])).toEqual({ code: 0, out: '1 session would be removed\n', err: '' })
    expect(await store.get('a')).not.toBeNull()
    expect(await sessions(['destroy', '--digest', digest.toUpperCase()])).toEqual({ code: 0, out: '1 session removed\n', err: '' })
    expect([await store.get('a'), await store.get('b')]).toEqual([null, expect.anything()])
    expect((await sessions(['destroy', '--digest', digest, '--dry-run'])).out).toBe('0 sessions would be removed\n')
    expect((await sessions(['destroy', '--digest', digest])).out).toBe('0 sessions removed\n')
  })

  test('reads the id from standard input, and finds hashed ids', async () => {
    const { store, where } = open({ hashIds: SECRET, prefix: 'shop:' })
    await save(store, ['the id'])
    const args = [CLI, 'sessions', 'destroy', '-', '--hash-ids', '--prefix', 'shop:', ...where]
    const child = launch(process.execPath, args, { env: { AEROSPIKE_HASH_IDS: SECRET } })
    child.stdin.end('the id\n')
    expect(await ended(child)).toEqual({ code: 0, out: '1 session removed\n', err: '' })
    expect(await store.get('the id')).toBeNull()
  })

  test('leaves tombstones with --tombstones', async () => {
    const { store, sessions } = open()
    await save(store, ['a', 'b'])
    expect((await sessions(['destroy', 'a', '--tombstones'])).out).toBe('1 session removed\n')
    expect((await sessions(['destroy', '--digest', store.digestOf('b'), '--tombstones'])).out).toBe('1 session removed\n')
    expect(await store.length()).toBe(0)
  })
})

describe('sessions destroy-user --dry-run', () => {
  test('removes nothing', async () => {
    const { store, sessions } = open()
    await store.createUserIndex()
    await save(store, ['a', 'b'], { userId: 'ada' })
    expect(await sessions(['destroy-user', 'ada', '--dry-run'])).toEqual({ code: 0, out: '2 sessions would be removed\n', err: '' })
    expect(await store.length()).toBe(2)
  })
})

describe('sessions prune', () => {
  test('removes sessions that have ended where TTLs are refused, and only counts them with --dry-run', async () => {
    if (!await hasNoTtlNamespace()) return
    const set = freshSet()
    const store = openStore({ set, namespace: 'nottl' })
    store.on('warning', () => {})
    const prefixed = openStore({ set, namespace: 'nottl', prefix: 'shop:' })
    prefixed.on('warning', () => {})
    await save(store, ['alive'])
    const expires = new Date(Date.now() + 100)
    const short = { cookie: { expires } }
    await Promise.all([...numbered(30).map(id => store.set(id, short)), prefixed.set('other', short)])
    while (Date.now() <= expires) await new Promise(resolve => setTimeout(resolve, 20))
    const where = ['--hosts', hosts(), '--set', set, '--namespace', 'nottl']
    expect(await run(['sessions', 'prune', '--dry-run', ...where])).toEqual({ code: 0, out: '30 sessions would be removed\n', err: '' })
    expect(await run(['sessions', 'prune', '--dry-run', '--json', ...where])).toEqual({ code: 0, out: '{"wouldRemove":30}\n', err: '' })
    expect(await run(['sessions', 'prune', ...where])).toEqual({ code: 0, out: '30 sessions removed\n', err: '' })
    expect(await run(['sessions', 'prune', '--json', ...where])).toEqual({ code: 0, out: '{"removed":0}\n', err: '' })
    expect((await run(['sessions', 'prune', '--dry-run', '--prefix', 'shop:', ...where])).out).toBe('1 session would be removed\n')
    expect(await store.get('alive')).not.toBeNull()
  })
})

describe('sessions create-index', () => {
  test('creates the index of users, or finds it', async () => {
    const { set, store, sessions } = open()
    await save(store, ['a'], { userId: 'ada' })
    const done = { code: 0, out: "The index on bin 'user' is complete.\n", err: '' }
    expect(await sessions(['create-index'])).toEqual(done)
    expect(await sessions(['create-index'])).toEqual(done)
    expect((await sessions(['create-index', '--json'])).out).toBe('{"complete":true}\n')
    expect(await sessions(['count', '--of', 'ada'])).toEqual({ code: 0, out: '1\n', err: '' })
    const official = await OfficialClient.connect(hosts())
    expect(await official.indexesOf(set)).toEqual([`user-${set}`])
    await official.removeIndex('test', `user-${set}`)
    await official.close()
  })

  const missing = noTerminal()
  ;(missing === undefined ? test : test.skip)('shows on a terminal how far it is', async () => {
    const server = await DevServer.start()
    try {
      // The index is created, but the answers about it are late.
      await server.inject({ kind: 'latency', on: 'info', ms: 900 })
      const { code, out } = await runOnTerminal(['sessions', 'create-index', '--hosts', server.hosts, '--timeout', '20000', '--connect-timeout', '20000'])
      expect(code).toBe(0)
      expect(out).toMatch(/\d+ % of the set looked at, index on bin user/)
      expect(out).toMatch(/\r\u001b\[KThe index on bin 'user' is complete\.\r?\n$/) // eslint-disable-line no-control-regex
    } finally {
      await server.stop()
    }
  })
})

describe('help', () => {
  const COMMANDS = ['count', 'list', 'destroy', 'destroy-user', 'prune', 'create-index'].map(name => ['sessions', name])

  test.each([...COMMANDS, ['doctor'], ['dev-server'], ['fault']].map(path => [path.join(' '), path]))('of %s has its options and an example, in both ways to ask', async (name, path) => {
    const help = await run(['help', ...path])
    expect(help).toMatchObject({ code: 0, err: '' })
    expect(help.out).toMatch(new RegExp(`^Usage: aerospike-session ${name}[^]*\\n\\nOptions:\\n[^]*--help[^]*\\nExample:\\n  aerospike-session ${name}`))
    expect(await run([...path, '--help'])).toEqual(help)
    // The example is a valid command line.
    const [, example] = /\nExample:\n {2}aerospike-session (.+)\n/.exec(help.out)
    expect(await run([...example.split(' ').filter(word => !word.startsWith("'")), '--help'])).toEqual(help)
  })

  test('describes each option of a command, in the same words everywhere', async () => {
    const descriptions = new Map()
    for (const path of [...COMMANDS, ['doctor']]) {
      const { out } = await run(['help', ...path])
      for (const [, option, words] of out.matchAll(/^ {2}(--[a-z-]+(?: [A-Z]+)?)\s+(\S.*)$/gm)) {
        if (option === '--json') continue
        expect(`${option} ${descriptions.get(option) ?? words}`).toBe(`${option} ${words}`)
        descriptions.set(option, words)
      }
    }
    expect([...descriptions.keys()]).toEqual(expect.arrayContaining(['--hosts HOSTS', '--dry-run', '--digest DIGEST', '--of USER', '--tombstones']))
  })

  test('lists the commands', async () => {
    const all = await run(['help'])
    expect(all.out).toMatch(/^ {2}sessions +\S/m)
    expect(await run(['--help'])).toEqual(all)
    const group = await run(['help', 'sessions'])
    expect(await run(['sessions', '--help'])).toEqual(group)
    for (const [, name] of COMMANDS) expect(group.out).toMatch(new RegExp(`^  ${name} +\\S`, 'm'))
  })

  test.each([
    [['help', 'nothing'], "'nothing' is no command"],
    [['help', 'sessions', 'purge'], "'purge' is nothing sessions can do"],
    [['help', 'sessions', 'prune', 'now'], "help takes no argument 'now'"],
    [['help', 'doctor', 'now'], "help takes no argument 'now'"],
    [['help', '__proto__'], "'__proto__' is no command"],
    [['sessions', 'destroy'], 'destroy needs a session id, or --digest'],
    [['sessions', 'destroy', ''], 'a session id must not be empty'],
    [['sessions', 'destroy', 'a', 'b'], "destroy takes no argument 'b'"],
    [['sessions', 'destroy', 'a', '--digest', '0'.repeat(40)], 'destroy takes either a session id or --digest'],
    [['sessions', 'destroy', '--digest', '0'.repeat(39)], '--digest takes 40 hexadecimal digits'],
    [['sessions', 'prune', 'now'], "prune takes no argument 'now'"],
    [['sessions', 'count', '--dry-run'], '--dry-run belongs to destroy and destroy-user and prune'],
    [['sessions', 'create-index', 'now'], "create-index takes no argument 'now'"],
    [['--nodes', '3', 'dev-server'], 'the command comes first, and its options after it']
  ])('exits with 2 and a message for %j', async (args, words) => {
    const { code, out, err } = await run(args)
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err).toMatch(/^aerospike-session: .*\n$/)
    expect(err).toContain(words)
  })
})
