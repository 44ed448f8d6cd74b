'use strict'

// `aerospike-session doctor`, in its own process, against servers that each have one problem. The report says what is wrong and
// what to do. Tests that need users, TLS or faults run on dev servers.

const fs = require('node:fs/promises')
const net = require('node:net')
const os = require('node:os')
const path = require('node:path')
const { once } = require('node:events')
const { AerospikeStore, SessionStore } = require('../..')
const { Connection } = require('../../lib/connection')
const operations = require('../../lib/operations')
const { noTerminal, run, runOnTerminal } = require('../support/cli')
const { freshSet, hosts, openStore } = require('../support/server')
const { cleanups, start } = require('../support/opened')

// Some tests run several processes, one after the other.
jest.setTimeout(60_000)

const PASSWORD = 'correct horse'
const WRONG = 'battery staple'
/** The prefix of the doctor's session ids. */
const PREFIX = 'aerospike-session-doctor:'
/** Whether operations are fast depends on the machine. */
const SPEED = ['SPEED', 'SLOW', 'STALLS']

/** Returns the JSON report on a server: the findings, and the codes of those that are not ok. */
async function examine (where, args = [], options = {}) {
  const { code, out, err } = await run(['doctor', '--json', '--rounds', '5', '--hosts', where, ...args], options)
  expect(err).toBe('')
  const { findings, facts } = JSON.parse(out)
  for (const { level, advice } of findings) expect(advice === undefined).toBe(level === 'ok')
  const at = level => findings.filter(finding => finding.level === level).map(({ code }) => code)
  const by = name => findings.find(({ code }) => code === name)
  return { code, out, findings, facts, problems: at('problem'), ok: at('ok'), notes: at('note'), warnings: at('warning'), by }
}

/** Returns the text report. */
function read (where, args = [], options = {}) {
  return run(['doctor', '--rounds', '5', '--hosts', where, ...args], options)
}

/** Returns a port without a listener. */
async function nobody () {
  const probe = net.createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address()
  probe.close()
  await once(probe, 'close')
  return `127.0.0.1:${port}`
}

/** Returns how many throw-away sessions a doctor has left. */
async function left (where, options = {}) {
  const store = new AerospikeStore({ hosts: where, prefix: PREFIX, ...options })
  try {
    return await store.length()
  } finally {
    await store.close()
  }
}

describe('on the server of the test suite', () => {
  test('reports that sessions work, and leaves nothing behind', async () => {
    const set = freshSet()
    const { code, facts, problems, ok } = await examine(hosts(), ['--set', set])
    expect({ code, problems }).toEqual({ code: 0, problems: [] })
    expect(ok).toEqual(expect.arrayContaining(['CONNECTED', 'TTL', 'ROOM', 'CLOCK', 'WORKS']))
    for (const { build, edition, namespace } of facts.nodes) {
      expect(build).toMatch(/^\d+\.\d+/)
      expect(edition).toContain('Community')
      expect(namespace).toMatchObject({ 'nsup-period': expect.stringMatching(/^[1-9]\d*$/), stop_writes: 'false', 'storage-engine': expect.any(String) })
    }
    expect(facts.skews).toHaveLength(facts.nodes.length)
    for (const times of Object.values(facts.smokeTest.times)) expect(times.count).toBe(5)
    expect(await left(hosts(), { set })).toBe(0)
  })

  test('does not touch existing sessions', async () => {
    const set = freshSet()
    const store = openStore({ set })
    await store.set('a', { cookie: {}, n: 1 })
    await examine(hosts(), ['--set', set])
    expect(await store.length()).toBe(1)
    expect(await store.get('a')).toMatchObject({ n: 1 })
  })

  test.each([
    ['this server', async () => hosts()],
    // Each node counts the replicas that it holds as well.
    ['a cluster with two replicas', async () => (await start({ nodes: 3, replicationFactor: 2 })).hosts]
  ])('compares the formats if sessions are large, and 100 or more: %s', async (_name, place) => {
    const [where, set] = [await place(), freshSet()]
    const store = new AerospikeStore({ hosts: where, set })
    cleanups.push(() => store.close())
    const save = (from, count) => Promise.all(Array.from({ length: count }, (_, n) => store.set(`${from + n}`, { cookie: {}, text: 'x'.repeat(4_096) })))
    await save(0, 99)
    expect((await examine(where, ['--set', set])).facts).not.toHaveProperty('formats')
    await save(99, 1)
    const { map, json, size } = (await examine(where, ['--set', set])).facts.formats
    expect(size).toBeGreaterThan(4_096)
    expect(size).toBeLessThan(8_192)
    expect(map).toBeGreaterThan(0)
    expect(json).toBeGreaterThan(0)
    expect(await left(where, { set })).toBe(0)
    await store.clear()
  })

  test('finds the index of users once it exists', async () => {
    const set = freshSet()
    const store = openStore({ set, user: 'userId' })
    expect((await examine(hosts(), ['--set', set])).notes).toContain('NO_USER_INDEX')
    await store.createUserIndex()
    expect((await examine(hosts(), ['--set', set])).ok).toContain('USER_INDEX')
    // An index of another set does not count.
    expect((await examine(hosts(), ['--set', freshSet()])).notes).toContain('NO_USER_INDEX')
  })

  test('uses AEROSPIKE_HOSTS like the store', async () => {
    const { code, out } = await run(['doctor', '--rounds', '1', '--set', freshSet()], { env: { AEROSPIKE_HOSTS: hosts() } })
    expect(code).toBe(0)
    expect(out).toContain(hosts().split(',')[0])
  })

  test('reports a missing namespace and lists the existing ones', async () => {
    const { code, problems, by } = await examine(hosts(), ['--namespace', 'shop'])
    expect({ code, problems }).toEqual({ code: 1, problems: ['NO_NAMESPACE'] })
    expect(by('NO_NAMESPACE')).toMatchObject({ text: expect.stringContaining("'shop'"), advice: expect.stringMatching(/\btest\b/) })
  })
})

describe('reports', () => {
  test('a healthy cluster', async () => {
    const server = await start({ nodes: 3 })
    const store = new AerospikeStore({ hosts: server.hosts })
    cleanups.push(() => store.close())
    await store.createUserIndex()
    const { code, findings, problems, warnings, notes, ok } = await examine(server.hosts)
    expect({ code, problems }).toEqual({ code: 0, problems: [] })
    expect(ok.filter(code => !SPEED.includes(code))).toEqual([
      'CONNECTED', 'VERSION', 'NODES', 'TTL', 'ROOM', 'NO_EVICTION', 'COPIES', 'CLOCK', 'WORKS', 'USER_INDEX'
    ])
    expect(notes).toEqual(['IN_MEMORY'])
    expect(warnings.filter(code => !SPEED.includes(code))).toEqual([])
    expect(findings[0].text).toContain('3 nodes')
    const { out, err } = await read(server.hosts)
    expect(err).toBe('')
    expect(out).toMatch(/^Aerospike for sessions: \S+, .*namespace test, set sessions\n/)
    expect(out).toMatch(/\n {2}✔ Aerospike Community Edition 8\.1\.\d/)
    expect(out).toMatch(/\n {2}save( +\d+\.\d\d){4}\n {2}get( +\d+\.\d\d){4}\n {2}touch( +\d+\.\d\d){4}\n {2}delete( +\d+\.\d\d){4}\n/)
    expect(out).toMatch(/\nNo problem, .*1 note\.\n$/)
  })

  test('a cluster that refuses TTLs', async () => {
    const server = await start()
    await server.configure('test', { nsupPeriod: 0 })
    const { code, facts, problems, ok, by } = await examine(server.hosts)
    expect({ code, problems }).toEqual({ code: 1, problems: ['TTL_REFUSED'] })
    expect(facts.smokeTest.ttlRefused).toBe(true)
    expect(ok).toContain('WORKS')
    expect(by('TTL_REFUSED').advice).toMatch(/asadm .*namespace test param nsup-period to 120.*aerospike\.conf.*prune\(\)/)
    expect(await left(server.hosts)).toBe(0)
    const { code: same, out } = await read(server.hosts)
    expect(same).toBe(1)
    expect(out).toMatch(/\n {2}✖ TTLs are refused \(nsup-period 0, .*\[TTL_REFUSED\]\n {4}→ turn removal on: asadm/)
    expect(out).toMatch(/\n1 problem, .*\.\n$/)
  })

  test('a missing server', async () => {
    const where = await nobody()
    const { code, problems, by, findings } = await examine(where)
    expect({ code, problems }).toEqual({ code: 1, problems: ['HOST_UNREACHABLE'] })
    expect(findings).toHaveLength(1)
    expect(by('HOST_UNREACHABLE')).toMatchObject({
      text: `${where}: nobody listens there (ECONNREFUSED)`, advice: expect.stringMatching(/start the server, or correct the port/)
    })
  })

  test('a server that rejects the password', async () => {
    const server = await start({ security: { users: { ada: PASSWORD } } })
    const login = ['--user', 'ada']
    const refused = await examine(server.hosts, login, { env: { AEROSPIKE_PASSWORD: WRONG } })
    expect(refused).toMatchObject({ code: 1, problems: ['LOGIN_REFUSED'] })
    expect(refused.by('LOGIN_REFUSED')).toMatchObject({ text: expect.stringContaining('refused the user or the password'), advice: expect.stringContaining('AEROSPIKE_PASSWORD') })
    expect(refused.out).not.toContain(WRONG)
    const without = await examine(server.hosts)
    expect(without).toMatchObject({ code: 1, problems: ['LOGIN_REFUSED'] })
    expect(without.by('LOGIN_REFUSED').advice).toMatch(/give --user NAME/)
    expect(await examine(server.hosts, login, { env: { AEROSPIKE_PASSWORD: PASSWORD } })).toMatchObject({ code: 0, problems: [] })
    const given = await read(server.hosts, [...login, '--password', PASSWORD])
    expect(given.code).toBe(0)
    expect(given.out + given.err).not.toContain(PASSWORD)
  })

  test.each([
    [90_000, /90\.\d s ahead/, /too early here/],
    [-90_000, /90\.\d s behind|89\.\d s behind/, /too early in browsers/],
    [3_600_000, /60 minutes ahead/, /too early here/]
  ])('a server whose clock differs by %i ms', async (shift, words, harm) => {
    const server = await start()
    const shifted = { env: { CLOCK_SHIFT: String(shift) }, node: ['--require', path.join(__dirname, '../support/shifted-clock.js')] }
    const { code, problems, by } = await examine(server.hosts, [], shifted)
    expect({ code, problems }).toEqual({ code: 1, problems: ['CLOCK_SKEW'] })
    expect(by('CLOCK_SKEW')).toMatchObject({ text: expect.stringMatching(words), advice: expect.stringContaining('NTP') })
    expect(by('CLOCK_SKEW').text).toMatch(harm)
  })
})

describe('reports', () => {
  test('a user that is given to a server without users', async () => {
    const server = await start()
    const { problems, by } = await examine(server.hosts, ['--user', 'ada'], { env: { AEROSPIKE_PASSWORD: PASSWORD } })
    expect(problems).toEqual(['LOGIN_REFUSED'])
    expect(by('LOGIN_REFUSED').advice).toMatch(/leave --user out/)
  })

  test('missing permissions of a user, and the role that grants them', async () => {
    const server = await start({ security: { users: { eve: { password: PASSWORD, roles: ['read'] } } } })
    const { code, problems, findings } = await examine(server.hosts, ['--user', 'eve'], { env: { AEROSPIKE_PASSWORD: PASSWORD } })
    expect({ code, problems }).toEqual({ code: 1, problems: ['NO_PERMISSION', 'NO_PERMISSION', 'NO_PERMISSION'] })
    const refused = findings.filter(({ code }) => code === 'NO_PERMISSION')
    expect(refused.map(({ text }) => /can be (\w+)/.exec(text)[1])).toEqual(['saved', 'touched', 'removed'])
    for (const { advice } of refused) expect(advice).toMatch(/priv read-write ns test set sessions/)
  })

  test('an untrusted certificate, and which option to set', async () => {
    const server = await start({ tls: true })
    const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'aerospike-session-'))
    cleanups.push(() => fs.rm(folder, { recursive: true }))
    const { cafile } = await server.writeTlsFiles(folder)
    const untrusting = await examine(server.hosts, ['--tls'])
    expect(untrusting).toMatchObject({ code: 1, problems: ['TLS_FAILED'] })
    expect(untrusting.by('TLS_FAILED').advice).toMatch(/--tls-ca FILE/)
    // Once, and without the name of an operation.
    expect(untrusting.by('TLS_FAILED').text).toMatch(new RegExp(`^${server.hosts} has a certificate by an authority that is not trusted`))
    expect(untrusting.by('TLS_FAILED').text.match(/not trusted/g)).toHaveLength(1)
    const plain = await examine(server.hosts)
    expect(plain).toMatchObject({ code: 1, problems: ['TLS_FAILED'] })
    const misnamed = await examine(server.hosts, ['--tls-ca', cafile, '--tls-name', 'example.org'])
    expect(misnamed.by('TLS_FAILED').advice).toMatch(/--tls-name NAME/)
    expect(await examine(server.hosts, ['--tls-ca', cafile, '--tls-name', 'localhost'])).toMatchObject({ code: 0, problems: [] })
  })

  test('that an answer without TLS may come from an impostor', async () => {
    const { code, problems, by } = await examine((await start()).hosts, ['--tls'])
    expect({ code, problems }).toEqual({ code: 1, problems: ['TLS_FAILED'] })
    expect(by('TLS_FAILED').advice).toMatch(/^first make sure that this is your node.*tls-port/)
  })

  test('that the cluster has another name', async () => {
    const server = await start({ clusterName: 'shop' })
    const { problems, by } = await examine(server.hosts, ['--cluster-name', 'blog'])
    expect(problems).toEqual(['OTHER_CLUSTER'])
    expect(by('OTHER_CLUSTER').advice).toContain('--cluster-name')
    expect(await examine(server.hosts, ['--cluster-name', 'shop'])).toMatchObject({ code: 0 })
  })

  test('that a port is open but is not a usable node', async () => {
    const babble = net.createServer(socket => { socket.on('error', () => {}); socket.end('HTTP/1.1 400 Bad Request\r\n\r\n') })
    babble.listen(0, '127.0.0.1')
    await once(babble, 'listening')
    cleanups.push(() => babble.close())
    const { code, problems, by } = await examine(`127.0.0.1:${babble.address().port}`)
    expect({ code, problems }).toEqual({ code: 1, problems: ['NO_NODE'] })
    expect(by('NO_NODE').advice).toMatch(/3000/)
  })

  test('which host is unreachable if others answer', async () => {
    const server = await start()
    const gone = await nobody()
    const { code, problems, warnings, by } = await examine(`${gone},${server.hosts}`)
    expect({ code, problems }).toEqual({ code: 0, problems: [] })
    expect(warnings).toContain('SEED_UNREACHABLE')
    expect(by('SEED_UNREACHABLE').text).toContain(`${gone}: nobody listens there`)
  })

  test.each([false, true])('which host does not answer (TLS: %p)', async encrypted => {
    const [server, frozen] = [await start({ tls: encrypted }), await start({ tls: encrypted })]
    await frozen.freeze()
    const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'aerospike-session-'))
    cleanups.push(() => fs.rm(folder, { recursive: true }))
    const args = encrypted ? ['--tls-ca', (await server.writeTlsFiles(folder)).cafile] : []
    const { code, problems, by, findings } = await examine(`${frozen.hosts},${server.hosts}`, args)
    expect({ code, problems }).toEqual({ code: 0, problems: [] })
    expect(findings.filter(one => one.code === 'SEED_UNREACHABLE')).toHaveLength(1)
    expect(by('SEED_UNREACHABLE').text).toContain(`${frozen.hosts}: it takes connections and does not answer`)
    expect(by('SEED_UNREACHABLE').advice).toContain('stands still')
  })

  test('that nodes of the cluster cannot be reached', async () => {
    const server = await start({ nodes: 3, heartbeatTimeout: 600_000 })
    await server.inject({ kind: 'refuse', node: 2 })
    const { code, problems, by } = await examine(server.hosts.split(',')[0], ['--timeout', '500', '--rounds', '1'])
    expect(code).toBe(1)
    expect(problems).toContain('NODES_UNREACHABLE')
    expect(by('NODES_UNREACHABLE')).toMatchObject({ text: expect.stringContaining('has 3 nodes, but only 2'), advice: expect.stringContaining('--services-alternate') })
  })

  test('that the namespace is full, and why', async () => {
    const server = await start({ memory: '1m' })
    const store = new AerospikeStore({ hosts: server.hosts })
    cleanups.push(() => store.close())
    const text = 'x'.repeat(100_000)
    for (let n = 0; n < 8; n++) await store.client.save(String(n), { text })
    const { code, problems, findings, by } = await examine(server.hosts)
    expect(code).toBe(1)
    expect(problems).toEqual(expect.arrayContaining(['STOP_WRITES', 'OPERATION_FAILED']))
    expect(by('STOP_WRITES').text).toMatch(/7\d % of the storage used, of 70 % \(stop-writes-used-pct\)/)
    expect(findings.find(({ code }) => code === 'OPERATION_FAILED').advice).toMatch(/make room/)
  })

  test('that its own session could not be removed, which stores do not see', async () => {
    const server = await start()
    await server.inject({ kind: 'code', code: 22, on: 'delete' })
    const { code, problems, warnings } = await examine(server.hosts)
    expect({ code, problems }).toEqual({ code: 1, problems: ['OPERATION_FAILED'] })
    expect(warnings).toContain('LEFT_BEHIND')
    expect(await left(server.hosts)).toBe(1)
    expect(await left(server.hosts, { prefix: '' })).toBe(0)
  })

  test('that reads extend sessions', async () => {
    const server = await start()
    await server.configure('test', { defaultReadTouchTtlPct: 80 })
    const { code, warnings, by } = await examine(server.hosts)
    expect(code).toBe(0)
    expect(warnings).toContain('READS_EXTEND')
    expect(by('READS_EXTEND').text).toContain('80 %')
  })

  test('that expired sessions are never removed', async () => {
    const server = await start()
    await server.configure('test', { nsupPeriod: 0, allowTtlWithoutNsup: true })
    expect(await examine(server.hosts)).toMatchObject({ code: 1, problems: ['NEVER_REMOVED'] })
  })
})

test('a node that does not answer, together with the answers of the others, in time', async () => {
  const server = await start({ nodes: 2, heartbeatTimeout: 600_000 })
  const sessions = new SessionStore({ hosts: server.hosts, timeout: 600 })
  cleanups.push(() => sessions.close())
  await sessions.ready()
  await server.freeze(1)
  const nodes = await Connection.of(sessions).request(operations.info, undefined, [['build', 'no-such-thing']])
  const [{ address, name }] = await server.nodes()
  expect(nodes.find(node => node.name === name)).toEqual({
    name, address, error: null, answers: { build: expect.stringMatching(/^8\.1/), 'no-such-thing': expect.stringMatching(/^ERROR:/) }
  })
  expect(nodes.find(node => node.name !== name)).toMatchObject({ error: expect.stringContaining('no answer within 600 ms'), answers: {} })
})

describe('on a terminal', () => {
  const missing = noTerminal()
  const there = missing === undefined ? test : test.skip
  if (missing !== undefined) console.warn(`skipped: ${missing}`)

  // eslint-disable-next-line no-control-regex
  const COLOURED = /\u001b\[3[12]m/

  there('it is in colours, unless NO_COLOR is set', async () => {
    const args = ['doctor', '--hosts', await nobody()]
    const shown = await runOnTerminal(args)
    expect(shown.code).toBe(1)
    expect(shown.out).toMatch(COLOURED)
    expect((await runOnTerminal(args, { env: { NO_COLOR: '1' } })).out).not.toContain('\u001b[3')
  })

  there('it asks for the password, and does not show it', async () => {
    const server = await start({ security: { users: { ada: PASSWORD } } })
    const args = ['doctor', '--hosts', server.hosts, '--rounds', '1', '--user', 'ada']
    const { code, out } = await runOnTerminal(args, { prompt: 'Password: ', typed: `${PASSWORD}\r` })
    expect(code).toBe(0)
    expect(out).toContain('Password: ')
    expect(out).not.toContain(PASSWORD)
  })
})

test('prints no colours without a terminal, unless FORCE_COLOR is set', async () => {
  const where = await nobody()
  expect((await read(where)).out).not.toContain('\u001b')
  expect((await read(where, [], { env: { FORCE_COLOR: '1' } })).out).toContain('\u001b[31m')
  expect((await read(where, [], { env: { FORCE_COLOR: '1', NO_COLOR: '1' } })).out).not.toContain('\u001b')
})

test('doctor --help prints the options and exit codes', async () => {
  const { code, out, err } = await run(['doctor', '--help'])
  expect({ code, err }).toEqual({ code: 0, err: '' })
  for (const word of ['--hosts', '--namespace', '--user', 'AEROSPIKE_PASSWORD', '--tls-ca', '--json', 'Exit codes']) expect(out).toContain(word)
})

test.each([
  [['now'], "no argument 'now'"],
  [['--hots', 'any'], "'--hots'"],
  [['--hosts', 'a:b:c:d'], "option 'hosts'"],
  [['--namespace', 'a b'], "option 'namespace'"],
  [['--rounds', '0'], '--rounds takes a number'],
  [['--timeout', 'soon'], '--timeout takes a number'],
  [['--password', PASSWORD], '--password needs --user'],
  [['--user', 'ada'], 'AEROSPIKE_PASSWORD'],
  [['--tls-ca', '/nowhere/ca.pem'], "'tls.ca'"],
  [['--tls-cert', '/nowhere/cert.pem'], "'tls.cert' and 'tls.key' need each other"],
  [['--auth-mode', 'guess', '--user', 'ada', '--password', PASSWORD], "option 'authMode'"]
])('exits with 2 and a message for %j', async (args, words) => {
  const { code, out, err } = await run(['doctor', ...args])
  expect({ code, out }).toEqual({ code: 2, out: '' })
  expect(err).toMatch(/^aerospike-session: .*\n$/)
  expect(err).toContain(words)
  expect(err).not.toContain(PASSWORD)
})
