'use strict'

// Older servers: missing features are rejected or replaced. The servers are dev servers that report an older version in its
// format.

const { AerospikeStore, SessionStore } = require('../..')
const { cookie: lasting } = require('../support/cookie')
const { OfficialClient } = require('../support/official-client')
const { startRewritingServer } = require('../support/proxied-server')

const cookie = () => lasting(60_000)

const servers = []
const stores = []
afterAll(async () => {
  for (const store of stores) await store.close()
  for (const server of servers) await server.stop()
})

/** Starts a server that reports this version; `answers`: to info commands, by their beginning. */
async function serverOf (version, answers = {}) {
  const all = { build: () => version, ...answers }
  const server = await startRewritingServer((command, value) => {
    const [, answer] = Object.entries(all).find(([start]) => command === start || command.startsWith(`${start}:`)) ?? []
    return answer === undefined ? value : answer(value)
  })
  servers.push(server)
  return server
}

function open (Store, server, options) {
  const store = new Store({ hosts: server.hosts, ...options })
  const warnings = []
  store.on('warning', ({ code }) => warnings.push(code))
  stores.push(store)
  return { store, warnings }
}

describe.each(['5.7.0.31', '4.9.0.3'])('a server of version %s', version => {
  test('is rejected with its address and version', async () => {
    const server = await serverOf(version)
    for (const Store of [SessionStore, AerospikeStore]) {
      const { store } = open(Store, server)
      const refusal = { code: 'SERVER', retryable: false, message: expect.stringMatching(/127\.0\.0\.1:\d+ is Aerospike (5\.7\.0\.31|4\.9\.0\.3); aerospike-session needs 6\.0 or later$/) }
      await expect(store.ready()).rejects.toMatchObject(refusal)
      await expect(store.get('a')).rejects.toMatchObject(refusal)
    }
  })
})

describe.each(['6.0.0.20', '6.4.0.34', '7.0.0.26'])('option touchOnRead on a server of version %s', version => {
  test('writes touches itself and emits one warning', async () => {
    const server = await serverOf(version)
    const { store, warnings } = open(AerospikeStore, server, { touchOnRead: 80 })
    await store.set('a', { cookie: cookie() })
    const loaded = await store.get('a')
    for (const ms of [120_000, 240_000]) {
      loaded.cookie.expires = new Date(Date.now() + ms)
      await store.touch('a', loaded)
      const { cookie: { expires } } = await store.get('a')
      expect(new Date(expires).getTime()).toBe(loaded.cookie.expires.getTime())
    }
    expect(warnings).toStrictEqual(['TOUCH_ON_READ_UNSUPPORTED'])
  })
})

test.each(['7.1.0.23', '8.1.2.0'])('option touchOnRead on a server of version %s leaves touches to the server', async version => {
  const server = await serverOf(version)
  const { store, warnings } = open(AerospikeStore, server, { touchOnRead: 80 })
  await store.set('a', { cookie: cookie() })
  const loaded = await store.get('a')
  const before = loaded.cookie.expires
  loaded.cookie.expires = new Date(Date.now() + 120_000)
  await store.touch('a', loaded)
  expect((await store.get('a')).cookie.expires).toBe(before)
  expect(warnings).toStrictEqual([])
})

describe.each([
  ['7.1.0.23', { 'sindex-create': value => value === 'ok' ? 'OK' : value }],
  ['6.0.0.20', { 'sindex-create': value => value === 'ok' ? 'OK' : value }],
  ['8.1.2.0', {}]
])('createUserIndex() on a server of version %s', (version, answers) => {
  test('resolves when the index is built', async () => {
    const server = await serverOf(version, answers)
    const { store, warnings } = open(AerospikeStore, server, { user: 'user' })
    await store.set('a', { cookie: cookie(), user: 'ada' })
    await store.createUserIndex()
    await store.createUserIndex()
    expect(await store.countOf('ada')).toBe(1)
    expect(warnings).toStrictEqual([])
  })
})

test('sessions of a user are found without an index while it is being built', async () => {
  let percent = 40
  const server = await serverOf('8.1.2.0', { 'sindex-stat': value => value.replace(/load_pct=\d+/, `load_pct=${percent}`) })
  const { store, warnings } = open(AerospikeStore, server, { user: 'user' })
  await store.set('a', { cookie: cookie(), user: 'ada' })
  let isMade = false
  const made = store.createUserIndex().then(() => { isMade = true })
  const official = await OfficialClient.connect(server.server.hosts)
  while ((await official.indexesOf('sessions')).length === 0);
  // Answers like a node whose index is not built yet. The next request is the search without it.
  const notReadable = () => server.server.inject({ kind: 'code', code: 203, on: ['query'], times: 1 })
  await notReadable()
  expect(await store.countOf('ada')).toBe(1)
  await notReadable()
  expect(await store.sessionsOf('ada')).toHaveLength(1)
  expect(isMade).toBe(false)
  await notReadable()
  expect(await store.destroyOf('ada')).toBe(1)
  expect(warnings).toContain('NO_USER_INDEX')
  percent = 100
  await made
  await official.close()
})

test('createUserIndex() stops waiting for a node that does not report the index', async () => {
  const server = await serverOf('8.1.2.0', { 'sindex-stat': () => 'ERROR:201:no index' })
  const { store } = open(AerospikeStore, server, { user: 'user', timeout: 200 })
  await expect(store.createUserIndex()).rejects.toMatchObject({ code: 'TIMEOUT' })
})

test('createUserIndex() stops waiting for an index that makes no progress', async () => {
  const server = await serverOf('8.1.2.0', { 'sindex-stat': value => value.replace(/load_pct=\d+/, 'load_pct=70') })
  const { store } = open(AerospikeStore, server, { user: 'user', timeout: 20 })
  await store.ready()
  const failed = store.createUserIndex()
  await expect(failed).rejects.toMatchObject({ code: 'TIMEOUT', message: expect.stringContaining("2 s (100 times option 'timeout')") })
}, 20_000)

test('a node that restarts with an old version is rejected, and accepted after an upgrade', async () => {
  let version = '8.1.2.0'
  const server = await serverOf('', { build: () => version })
  const { store } = open(SessionStore, server, { timeout: 1_000 })
  await store.ready()
  const answer = () => store.has('a').then(() => 'ok', ({ message }) => message)
  const restart = async newVersion => {
    version = newVersion
    await server.server.stopNode(0)
    await server.server.startNode(0)
  }
  await restart('5.7.0.31')
  while (!/is Aerospike 5\.7\.0\.31; aerospike-session needs 6\.0 or later$/.test(await answer()));
  await restart('8.1.2.0')
  while (await answer() !== 'ok');
})
