'use strict'

// Logins and TLS: the stores and the official client on dev servers that require them. The Community Edition has neither, so
// these tests run on dev servers only.

const { once } = require('node:events')
const fs = require('node:fs/promises')
const net = require('node:net')
const os = require('node:os')
const path = require('node:path')
const tls = require('node:tls')
const { AerospikeStore } = require('../..')
const { OfficialClient } = require('../support/official-client')
const { cleanups, open, start } = require('../support/opened')
const { Frames } = require('../support/wire-tap')

const PASSWORD = 'correct horse'
const WRONG = 'battery staple'

async function officialClient (server, options) {
  const client = await OfficialClient.connect(server.hosts, options)
  cleanups.push(() => client.close())
  return client
}

/** Returns the error of a store, and checks that it contains no password. */
async function failure (work) {
  const error = await work.then(() => { throw new Error('it did not fail') }, error => error)
  for (const text of [error.message, error.stack, error.cause?.message ?? '', JSON.stringify(error)]) {
    expect(text).not.toContain(PASSWORD)
    expect(text).not.toContain(WRONG)
  }
  return error
}

async function expectWorks (sessions) {
  await sessions.save('works', { n: 1 })
  expect(await sessions.get('works')).toEqual({ n: 1 })
  expect(await sessions.delete('works')).toBe(true)
}

/** Repeats `work` until it succeeds. The test's timeout is the limit. */
async function eventually (work) {
  for (;;) {
    try {
      return await work()
    } catch {
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  }
}

describe('a server with users', () => {
  const ada = { user: 'ada', password: PASSWORD }
  const startSecured = (security = {}) => start({ security: { users: { ada: PASSWORD, eve: { password: WRONG, roles: ['read'] } }, ...security } })

  test('serves stores with the right password', async () => {
    const server = await startSecured()
    await expectWorks(open(server, ada))
    await expectWorks(open(server, { auth: ada }))
    const store = open(server, { auth: ada, user: 'owner' }, AerospikeStore)
    await store.createUserIndex()
    await store.set('a', { owner: 'bob', cookie: { originalMaxAge: null } })
    expect(await store.countOf('bob')).toBe(1)
    await store.clear()
  })

  test.each([
    ['a wrong password', { user: 'ada', password: WRONG }],
    ['an unknown user', { user: 'bob', password: PASSWORD }],
    ['no login', {}]
  ])('rejects %s with AUTH', async (_, login) => {
    const sessions = open(await startSecured(), login)
    expect(await failure(sessions.ready())).toMatchObject({ code: 'AUTH', retryable: false })
    expect(await failure(sessions.get('a'))).toMatchObject({ code: 'AUTH', retryable: false })
  })

  test('and one without users reject a login with AUTH', async () => {
    const error = await failure(open(await start(), ada).ready())
    expect(error).toMatchObject({ code: 'AUTH', message: expect.stringContaining('knows no users') })
  })

  test('keeps serving a store when session tokens expire and connections close', async () => {
    const server = await startSecured()
    const sessions = open(server, ada)
    await expectWorks(sessions)
    await server.expireSessions()
    await expectWorks(sessions)
    await server.expireSessions({ disconnect: true })
    await eventually(() => expectWorks(sessions))
  })

  test('keeps serving a store whose tokens expire too soon to be renewed in time', async () => {
    const server = await startSecured({ sessionTtl: 1 })
    const sessions = open(server, ada)
    await expectWorks(sessions)
    await new Promise(resolve => setTimeout(resolve, 1_100))
    await Promise.all(Array.from({ length: 64 }, (_, n) => sessions.save(`s${n}`, { n })))
    await server.expireSessions({ disconnect: true })
    await eventually(() => expectWorks(sessions))
  })

  test('keeps existing connections when the password changes, and rejects new ones with the old one', async () => {
    const server = await startSecured()
    const before = open(server, ada)
    await expectWorks(before)
    await server.setPassword('ada', WRONG)
    await expectWorks(before)
    expect(await failure(open(server, ada).ready())).toMatchObject({ code: 'AUTH' })
    await expectWorks(open(server, { user: 'ada', password: WRONG }))
  })

  test('accepts a store again after its password is right again', async () => {
    const server = await startSecured()
    const sessions = open(server, { ...ada, timeout: 10_000 })
    await expectWorks(sessions)
    await server.setPassword('ada', WRONG)
    await server.expireSessions({ disconnect: true })
    expect(await failure(sessions.get('a'))).toMatchObject({ code: 'AUTH' })
    await server.setPassword('ada', PASSWORD)
    await eventually(() => expectWorks(sessions))
  }, 20_000)

  test('enforces roles, and answers everything else with AUTH', async () => {
    const server = await startSecured()
    await open(server, ada).save('a', { n: 1 })
    const reader = open(server, { user: 'eve', password: WRONG })
    expect(await reader.get('a')).toEqual({ n: 1 })
    expect(await failure(reader.save('a', { n: 2 }))).toMatchObject({ code: 'AUTH', resultCode: 81, retryable: false })
    expect(await failure(reader.delete('a'))).toMatchObject({ code: 'AUTH', resultCode: 81 })
  })

  /** Starts a proxy between client and server. `read` gets the first bytes that a client sends. */
  async function eavesdrop (server, read) {
    const proxy = net.createServer(client => {
      const upstream = net.connect(server.port, '127.0.0.1')
      client.once('data', read)
      client.pipe(upstream).pipe(client)
      for (const [one, other] of [[client, upstream], [upstream, client]]) one.on('error', () => {}).on('close', () => other.destroy())
    }).listen(0, '127.0.0.1')
    await once(proxy, 'listening')
    cleanups.push(() => proxy.close())
    return { hosts: `127.0.0.1:${proxy.address().port}` }
  }

  /** Replays a recorded login and returns its result code. */
  async function replay (server, login) {
    const socket = net.connect(server.port, '127.0.0.1')
    cleanups.push(() => socket.destroy())
    socket.write(login)
    return new Promise(resolve => {
      // as/include/base/security.h: the second byte of an answer.
      const answers = new Frames((type, body) => resolve(body[1]))
      socket.on('data', data => answers.take(data))
    })
  }

  test('accepts a replayed internal login, which anyone on a network without TLS could record', async () => {
    const server = await startSecured()
    const recorded = []
    const read = first => recorded.push(first)
    await open(await eavesdrop(server, read), { auth: ada }).ready().catch(() => {})
    const login = recorded.find(bytes => bytes[1] === 2)
    expect(login.includes('ada')).toBe(true)
    // The login contains a hash. It hides the password, but it suffices for a login.
    expect(login.includes(PASSWORD)).toBe(false)
    expect(login.includes('$2a$10$')).toBe(true)
    expect(await replay(server, login)).toBe(0)
    await server.setPassword('ada', WRONG)
    expect(await replay(server, login)).toBe(65)
  })

  test('gets the clear-text password with an external login without TLS', async () => {
    const recorded = []
    const read = first => recorded.push(first)
    await open(await eavesdrop(await startSecured(), read), { auth: ada, authMode: 'external-insecure' }).ready().catch(() => {})
    expect(recorded.some(bytes => bytes.includes(PASSWORD))).toBe(true)
  })

  test('serves the official client, and rejects it as a real server does', async () => {
    const server = await startSecured()
    const client = await officialClient(server, ada)
    await client.put(['test', 'sessions', 'a'], { data: { n: 1 } }, 100)
    expect(await open(server, ada).get('a')).toEqual({ n: 1 })
    await expect(officialClient(server, { user: 'ada', password: WRONG })).rejects.toMatchObject({ code: 65 })
    await expect(officialClient(server, { user: 'bob', password: WRONG })).rejects.toMatchObject({ code: 60 })
    await expect(officialClient(server)).rejects.toThrow()
    await server.expireSessions({ disconnect: true })
    await eventually(() => client.get('test', 'sessions', 'a'))
  })

  test('reports invalid options without quoting a password', async () => {
    for (const [security, message] of [
      [{ users: { ada: 1 } }, /'security.users' must be a string, not a number/],
      [{ users: { '': PASSWORD } }, /a name that is not 1 to 63 bytes/],
      [{ users: { ada: { password: PASSWORD, role: 'read' } } }, /unknown option 'role': did you mean 'roles'/],
      [{ users: { ada: { password: PASSWORD, roles: ['no such'] } } }, /a role of user "ada" is unknown/],
      [{ users: {}, sessionTtl: 0 }, /'security.sessionTtl'/]
    ]) {
      expect((await failure(start({ security }))).message).toMatch(message)
    }
    const server = await startSecured()
    expect((await failure(server.setPassword('bob', PASSWORD))).message).toMatch(/there is no user "bob"/)
    expect((await failure((await start()).expireSessions())).message).toMatch(/without security/)
  })
})

describe('a server with TLS', () => {
  test('serves a store that trusts its authority, under every name in its certificate', async () => {
    const server = await start({ tls: true })
    await expectWorks(open(server, { tls: server.tls }))
    await expectWorks(open(server, { tls: { ca: Buffer.from(server.tls.ca) }, hosts: `localhost:${server.port}` }))
    await expectWorks(open(server, { tls: { ca: [server.tls.ca], servername: 'localhost' } }))
    await expectWorks(open(server, { tls: server.tls, hosts: `127.0.0.1:localhost:${server.port}` }))
    await expectWorks(open(server, { tls: { ...server.tls, servername: 'example.org' }, hosts: [{ host: '127.0.0.1', port: server.port, tlsName: 'localhost' }] }))
  })

  test('with three nodes and users serves a store that logs in', async () => {
    const server = await start({ tls: true, nodes: 3, security: { users: { ada: PASSWORD } } })
    const sessions = open(server, { tls: server.tls, user: 'ada', password: PASSWORD, hosts: server.hosts.split(',')[0] })
    const ids = Array.from({ length: 60 }, (_, n) => `s${n}`)
    await Promise.all(ids.map((id, n) => sessions.save(id, { n })))
    expect(await Promise.all(ids.map(id => sessions.get(id)))).toEqual(ids.map((_, n) => ({ n })))
  })

  test.each([
    ['that trusts another authority', () => tls.rootCertificates[0], undefined, /authority that is not trusted/],
    ['that expects another name', ca => ca, 'example.org', /for another name/],
    ['that expects an invalid name', ca => ca, 'no name', /no certificate can be for/]
  ])('fails a store %s with TLS', async (_, ca, servername, message) => {
    const server = await start({ tls: true })
    const sessions = open(server, { tls: { ca: ca(server.tls.ca), servername } })
    const expected = { code: 'TLS', retryable: false, message: expect.stringMatching(message) }
    expect(await failure(sessions.ready())).toMatchObject(expected)
    expect(await failure(sessions.get('a'))).toMatchObject(expected)
  })

  test("fails a store that trusts only Node.js's authorities with TLS", async () => {
    const sessions = open(await start({ tls: true }), { tls: true })
    expect(await failure(sessions.ready())).toMatchObject({ code: 'TLS' })
  })

  test('with mutual TLS serves only a store with the client certificate', async () => {
    const server = await start({ tls: { mutual: true } })
    const other = await start({ tls: { mutual: true } })
    await expectWorks(open(server, { tls: server.tls }))
    const without = open(server, { tls: { ca: server.tls.ca } })
    expect(await failure(without.ready())).toMatchObject({ code: 'TLS', message: expect.stringContaining('asks for a certificate') })
    const untrusting = open(server, { tls: { ...other.tls, ca: server.tls.ca } })
    expect(await failure(untrusting.ready())).toMatchObject({ code: 'TLS' })
  })

  test('with mutual TLS serves the official client, which reads files', async () => {
    const directory = await fs.mkdtemp(path.join(os.tmpdir(), 'aerospike-session-'))
    cleanups.push(() => fs.rm(directory, { recursive: true }))
    const server = await start({ tls: { mutual: true }, security: { users: { ada: PASSWORD } } })
    const files = await server.writeTlsFiles(path.join(directory, 'made'))
    expect((await fs.stat(files.keyfile)).mode & 0o777).toBe(0o600)
    const login = { user: 'ada', password: PASSWORD }
    const hosts = [{ addr: '127.0.0.1', port: server.port, tlsname: 'localhost' }]
    const client = await officialClient(server, { ...login, hosts, tls: { enable: true, ...files } })
    await client.put(['test', 'sessions', 'a'], { data: { n: 1 } }, 100)
    expect(await open(server, { ...login, tls: server.tls }).get('a')).toEqual({ n: 1 })
    const { cafile } = files
    await expect(officialClient(server, { ...login, hosts, tls: { enable: true, cafile } })).rejects.toThrow()
  })

  test('has new certificates each time, for the given names', async () => {
    const [one, two] = [await start({ tls: true }), await start({ tls: { names: ['db.example.org'] } })]
    expect(one.tls.ca).not.toBe(two.tls.ca)
    expect(one.tls).toEqual({ ca: expect.any(String) })
    await expectWorks(open(two, { tls: { ...two.tls, servername: 'db.example.org' } }))
    expect((await start()).tls).toBeUndefined()
    await expect((await start()).writeTlsFiles('any')).rejects.toMatchObject({ code: 'BAD_OPTION' })
  })

  test('checks option tls at once, and no message contains a key', async () => {
    const { ca, cert, key } = (await start({ tls: { mutual: true } })).tls
    const other = (await start({ tls: { mutual: true } })).tls
    for (const [tls, message] of [
      ['yes', /'tls' must be true or an object, not a string/],
      [{ CA: ca }, /unknown option 'CA': did you mean 'ca'/],
      [{ ca: '/etc/ca.pem' }, /'tls.ca' is neither PEM nor the path of a file that can be read/],
      [{ ca: 7 }, /'tls.ca' must be PEM, as a string or a Buffer, or the path of a file that holds it, not a number/],
      [{ ca: key }, /'tls.ca' cannot be read/],
      [{ ca, cert }, /'tls.cert' and 'tls.key' need each other/],
      [{ ca, cert, key: cert }, /'tls.key' cannot be read/],
      [{ ca, cert, key: other.key }, /'tls.key' is not the key to 'tls.cert'/],
      [{ ca, servername: '' }, /'tls.servername' must not be empty/]
    ]) {
      let error
      try { open({ hosts: '127.0.0.1:1' }, { tls }) } catch (thrown) { error = thrown }
      expect(error).toMatchObject({ code: 'BAD_OPTION', message: expect.stringMatching(message) })
      expect(`${error.message}${error.cause?.message}`).not.toContain(key.split('\n')[1])
    }
  })
})
