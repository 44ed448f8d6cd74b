'use strict'

// Everything that keeps a store from connecting, each with its own message and without a hang; logins that change while the
// store runs; and the nodes that it connects to. These tests need the Enterprise Edition or a misbehaving server, so they run
// on dev servers and on their own sockets.

const { spawn } = require('node:child_process')
const crypto = require('node:crypto')
const { once } = require('node:events')
const fs = require('node:fs/promises')
const net = require('node:net')
const os = require('node:os')
const path = require('node:path')
const tls = require('node:tls')
const { AerospikeStore, SessionStore } = require('../..')
const { cleanups, open, start } = require('../support/opened')

const PASSWORD = 'correct horse'
const OTHER = 'battery staple'
const DAY = 86_400_000

/** Opens a port that handles its connections with this function. */
async function listen (handler) {
  const sockets = new Set()
  const listener = net.createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => {})
    handler(socket)
  }).listen(0, '127.0.0.1')
  await once(listener, 'listening')
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy()
    listener.close()
  })
  return { hosts: `127.0.0.1:${listener.address().port}`, sockets }
}

const silent = () => listen(socket => socket.resume())

/** Returns the error of a store, and checks that it contains no password. */
async function failure (work) {
  const error = await work.then(() => { throw new Error('it did not fail') }, error => error)
  for (const text of [error.message, error.stack, error.cause?.message ?? '', JSON.stringify(error)]) {
    expect(text).not.toContain(PASSWORD)
    expect(text).not.toContain(OTHER)
  }
  return error
}

async function expectFails (sessions, expected) {
  expect(await failure(sessions.ready())).toMatchObject(expected)
  expect(await failure(sessions.get('a'))).toMatchObject(expected)
}

async function expectWorks (sessions) {
  await sessions.save('works', { n: 1 })
  expect(await sessions.get('works')).toEqual({ n: 1 })
}

/** Repeats `work` until it succeeds. The test's timeout is the limit. */
async function eventually (work) {
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (error.code === 'CLOSED') throw error
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  }
}

const says = text => expect.stringContaining(text)

describe('over TLS', () => {
  test.each([
    ['has expired', { validTo: new Date(Date.now() - DAY) }, 'has a certificate that has expired'],
    ['is not valid yet', { validFrom: new Date(Date.now() + DAY) }, 'has a certificate that is not valid yet'],
    ['is for another name', { names: ['db.example.org'] }, 'has a certificate for another name']
  ])('a certificate that %s is reported as such', async (_, certificate, message) => {
    const server = await start({ tls: certificate })
    const options = { tls: { ca: server.tls.ca, servername: certificate.names ? 'www.example.org' : undefined } }
    await expectFails(open(server, options), { code: 'TLS', retryable: false, message: says(message) })
  })

  test('a certificate of another authority is reported with the option for trusted authorities', async () => {
    const [server, other] = [await start({ tls: true }), await start({ tls: true })]
    const message = says("by an authority that is not trusted (option 'tls.ca')")
    await expectFails(open(server, { tls: other.tls }), { code: 'TLS', retryable: false, message })
  })

  test('a TLS mismatch between client and port is reported in both directions', async () => {
    const [encrypted, plain] = [await start({ tls: true }), await start()]
    await expectFails(open(encrypted), { code: 'TLS', message: says("speaks TLS on this port: set option 'tls'") })
    await expectFails(open(plain, { tls: encrypted.tls }), { code: 'TLS', message: says('answers without TLS on this port: make sure that it is your node') })
  })

  test('a missing client certificate is reported differently from a rejected one', async () => {
    const [server, other] = [await start({ tls: { mutual: true } }), await start({ tls: { mutual: true } })]
    const { ca } = server.tls
    await expectFails(open(server, { tls: { ca } }), { code: 'TLS', message: says("asks for a certificate of ours (options 'tls.cert' and 'tls.key')") })
    const { cert, key } = other.tls
    await expectFails(open(server, { tls: { ca, cert, key } }), { code: 'TLS', message: says('does not accept our certificate') })
  })

  test.each([
    ['with TLS', { tls: true }],
    ['without', {}],
    ['without, and a login', { auth: { user: 'ada', password: PASSWORD } }]
  ])('a port that never answers fails within connectTimeout, %s', async (_, options) => {
    const server = await silent()
    const sessions = open(server, { ...options, connectTimeout: 300, timeout: 5_000 })
    const cause = expect.objectContaining({ message: says("option 'connectTimeout'") })
    await expectFails(sessions, { code: 'UNAVAILABLE', retryable: true, cause })
  })

  test('an operation with less time than connecting needs reports its timeout and the option', async () => {
    const server = await silent()
    const sessions = open(server, { timeout: 300, connectTimeout: 2_000 })
    const first = await failure(sessions.get('a'))
    expect(first).toMatchObject({ code: 'UNAVAILABLE', cause: { message: "no answer within 300 ms (option 'timeout')" } })
    // After a failed attempt, operations also report its error.
    await failure(sessions.ready())
    const words = "no answer within 300 ms (option 'timeout'); the last attempt to connect: " +
      `${server.hosts} took the connection and did not answer (option 'connectTimeout': 2000 ms)`
    for (const work of [() => sessions.get('a'), () => sessions.save('a', {})]) {
      const later = await failure(work())
      expect(later).toMatchObject({ code: 'UNAVAILABLE', cause: { message: words } })
    }
  })

  test.each([true, false])('a seed that never answers does not delay the others (TLS: %p)', async encrypted => {
    const [server, dead] = [await start({ tls: encrypted }), await silent()]
    const sessions = open({ hosts: `${dead.hosts},${server.hosts}` }, { tls: server.tls ?? false, connectTimeout: 2_000 })
    await sessions.ready()
    await expectWorks(sessions)
  })

  test('an unknown protocol is reported as such', async () => {
    const server = await listen(socket => socket.on('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')))
    const sessions = open({ hosts: `${server.hosts},${server.hosts}` })
    expect(await failure(sessions.ready())).toMatchObject({ code: 'UNAVAILABLE', cause: { message: says("does not speak Aerospike's protocol") } })
  })
})

/** Returns the pin of a server's certificate, as `openssl` prints it. */
async function pinOf (server) {
  const socket = tls.connect({ port: server.port, host: '127.0.0.1', ca: server.tls.ca })
  await once(socket, 'secureConnect')
  const { publicKey } = new crypto.X509Certificate(socket.getPeerCertificate().raw)
  socket.destroy()
  const hash = crypto.createHash('sha256').update(publicKey.export({ type: 'spki', format: 'der' }))
  return `sha256/${hash.digest('base64')}`
}

describe('pins', () => {
  const NOBODY = `sha256/${Buffer.alloc(32).toString('base64')}`

  test('accept a server with one of the keys, and no other', async () => {
    const server = await start({ tls: true })
    const pin = await pinOf(server)
    await expectWorks(open(server, { tls: { ...server.tls, pins: [NOBODY, pin] } }))
    const message = says("has a certificate with a key that is none of option 'tls.pins'")
    await expectFails(open(server, { tls: { ...server.tls, pins: [NOBODY] } }), { code: 'TLS', retryable: false, message })
  })

  test('do not replace the usual checks', async () => {
    const [server, other] = [await start({ tls: true }), await start({ tls: true })]
    const pins = [await pinOf(server)]
    expect(await failure(open(server, { tls: { ca: other.tls.ca, pins } }).ready())).toMatchObject({ code: 'TLS', message: says('not trusted') })
    const named = { tls: { ca: server.tls.ca, servername: 'example.org', pins } }
    expect(await failure(open(server, named).ready())).toMatchObject({ code: 'TLS', message: says('for another name') })
  })

  test.each([
    ['no array', NOBODY, /'tls.pins' must be an array of strings, not a string/],
    ['none', [], /'tls.pins' must not be empty/],
    ['no strings', [7], /'tls.pins' must be a string, not a number/],
    ['of another hash', ['sha1/AAAA'], /'tls.pins' must hold 'sha256\/'/],
    ['too short', ['sha256/AAAA'], /'tls.pins' must hold 'sha256\/'/]
  ])('are checked at once: %s', (_, pins, message) => {
    expect(() => open({}, { tls: { pins } })).toThrow(expect.objectContaining({ code: 'BAD_OPTION', message: expect.stringMatching(message) }))
  })
})

describe('certificates and keys', () => {
  async function folder () {
    const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'aerospike-session-'))
    cleanups.push(() => fs.rm(folder, { recursive: true }))
    return folder
  }

  test('may be in files', async () => {
    const server = await start({ tls: { mutual: true } })
    const { cafile, certfile, keyfile } = await server.writeTlsFiles(await folder())
    await expectWorks(open(server, { tls: { ca: cafile, cert: certfile, key: keyfile } }))
    await expectWorks(open(server, { tls: { ca: [cafile, server.tls.ca], cert: Buffer.from(server.tls.cert), key: keyfile, servername: 'localhost' } }))
  })

  test('that cannot be read are reported without quoting a key', async () => {
    const directory = await folder()
    const empty = path.join(directory, 'empty.pem')
    await fs.writeFile(empty, 'nothing')
    const { cert, key } = (await start({ tls: { mutual: true } })).tls
    const body = key.split('\n')[1]
    for (const [given, message] of [
      [{ ca: path.join(directory, 'none.pem') }, /'tls.ca' is neither PEM nor the path of a file that can be read \(ENOENT\)/],
      [{ ca: directory }, /'tls.ca' is neither PEM nor the path of a file that can be read \(EISDIR\)/],
      [{ ca: empty }, /'tls.ca' holds no PEM/],
      [{ cert, key: body }, /'tls.key' is neither PEM nor the path/],
      [{ cert, key: empty }, /'tls.key' holds no PEM/],
      [{ serverName: 'a' }, /unknown option 'serverName': did you mean 'servername'\? \(the full name is 'tls.serverName'\)/]
    ]) {
      let error
      try { open({}, { tls: given }) } catch (thrown) { error = thrown }
      expect(error).toMatchObject({ code: 'BAD_OPTION', message: expect.stringMatching(message) })
      expect(`${error.message} ${error.cause?.message}`).not.toContain(body)
    }
  })

  test.each(['SSL_CERT_FILE', 'NODE_EXTRA_CA_CERTS'])('of the authorities that the system and Node.js trust are used with tls: true (%s)', async variable => {
    const server = await start({ tls: true })
    const { cafile } = await server.writeTlsFiles(await folder())
    const script = `
      const { SessionStore } = require('.')
      const sessions = new SessionStore({ hosts: process.argv[1], tls: true })
      sessions.ready().then(() => console.log('ready'), error => console.log(error.code)).then(() => sessions.close())`
    const run = async env => {
      const child = spawn(process.execPath, ['-e', script, server.hosts], { cwd: path.join(__dirname, '../..'), env: { ...process.env, ...env } })
      let output = ''
      child.stdout.on('data', data => { output += data })
      await once(child, 'close')
      return output.trim()
    }
    expect(await run({ [variable]: cafile })).toBe('ready')
    expect(await run({})).toBe('TLS')
  }, 20_000)
})

/** Answers a login with a result code. */
function refuseLogins (code) {
  return listen(socket => socket.on('data', () => {
    // as/include/base/proto.h: version 2, type 2, 16 bytes; the second of them is the code.
    const answer = Buffer.alloc(24)
    answer.set([2, 2, 0, 0, 0, 0, 0, 16, 0, code])
    socket.write(answer)
  }))
}

describe('a login', () => {
  const ada = { user: 'ada', password: PASSWORD }
  const startSecured = (options = {}) => start({ security: { users: { ada: PASSWORD, client: OTHER } }, ...options })

  test.each([
    ['an unknown user', 60, 'refused the user or the password'],
    ['a wrong password', 65, 'refused the user or the password'],
    ['an expired password', 63, 'refused a password that has expired'],
    ['a forbidden password', 64, 'refused a password that is forbidden'],
    ['an expired login', 66, 'refused a login that has expired'],
    ['another address', 82, 'does not let the user in from this address']
  ])('that is rejected for %s fails with AUTH and the reason', async (_, code, message) => {
    const sessions = open(await refuseLogins(code), { auth: ada })
    await expectFails(sessions, { code: 'AUTH', retryable: false, message: says(message) })
  })

  test('that expires fails with AUTH when the connections are gone, until it is valid again', async () => {
    const server = await startSecured()
    const sessions = open(server, { auth: ada, timeout: 10_000 })
    await expectWorks(sessions)
    await server.setPassword('ada', OTHER)
    await server.expireSessions({ disconnect: true })
    expect(await failure(sessions.get('works'))).toMatchObject({ code: 'AUTH', message: says('refused the user or the password') })
    expect(await failure(sessions.save('works', {}))).toMatchObject({ code: 'AUTH' })
    await server.setPassword('ada', PASSWORD)
    await eventually(() => expectWorks(sessions))
  }, 20_000)

  test('that expires is the reported reason when an operation gets no connection, even while nodes still answer', async () => {
    const server = await startSecured()
    const sessions = open(server, { auth: ada, timeout: 5_000 })
    await expectWorks(sessions)
    await server.setPassword('ada', OTHER)
    await server.expireSessions()
    // Only the connections for requests close. Those for cluster tending stay open.
    const fault = await server.inject({ kind: 'drop', on: 'read' })
    expect(await failure(sessions.get('works'))).toMatchObject({ code: 'AUTH' })
    await fault.remove()
    await server.setPassword('ada', PASSWORD)
    await eventually(() => expectWorks(sessions))
  }, 20_000)

  test.each([80, 66])('whose token the server no longer knows (%d) fails no operation', async code => {
    const server = await startSecured()
    const sessions = open(server, { auth: ada })
    await expectWorks(sessions)
    const fault = await server.inject({ kind: 'code', code, on: 'read', times: 2 })
    expect(await sessions.get('works')).toEqual({ n: 1 })
    expect(await fault.struck()).toBe(2)
  })

  test('whose token the server never knows is repeated', async () => {
    const server = await startSecured()
    const auth = jest.fn(() => ada)
    const sessions = open(server, { auth, timeout: 10_000 })
    await expectWorks(sessions)
    const asked = new Promise(resolve => auth.mockImplementation(() => { resolve(); return ada }))
    const fault = await server.inject({ kind: 'code', code: 80, on: 'read' })
    const reading = sessions.get('works')
    await asked
    await fault.remove()
    expect(await reading).toEqual({ n: 1 })
  }, 20_000)

  test.each([
    ['external', {}, /'authMode: external' needs option 'tls'/],
    ['pki', {}, /'authMode: pki' needs option 'tls'/],
    ['pki', { tls: true, auth: ada }, /'authMode: pki' takes no user and no password/],
    ['pki', { tls: true }, /'authMode: pki' needs options 'tls.cert' and 'tls.key'/],
    ['external', { tls: true }, /'authMode: external' needs option 'auth'/],
    ['ldap', {}, /'authMode' must be 'internal' or 'external' or 'external-insecure' or 'pki'/],
    ['internal', { auth: { user: 'ada', password: 'x'.repeat(898) } }, /at most 900 bytes long together/]
  ])('with mode %s reports missing options at once', (authMode, options, message) => {
    for (const Store of [SessionStore, AerospikeStore]) {
      const error = expect.objectContaining({ code: 'BAD_OPTION', message: expect.stringMatching(message) })
      expect(() => open({}, { authMode, ...options }, Store)).toThrow(error)
    }
  })

  test('works with every mode, over TLS if required', async () => {
    const [plain, encrypted] = [await startSecured(), await startSecured({ tls: { mutual: true } })]
    await expectWorks(open(plain, { auth: ada, authMode: 'internal' }))
    await expectWorks(open(plain, { auth: ada, authMode: 'external-insecure' }))
    await expectWorks(open(encrypted, { auth: ada, authMode: 'external', tls: encrypted.tls }))
    // The user name is taken from the certificate.
    await expectWorks(open(encrypted, { authMode: 'pki', tls: encrypted.tls }))
    const otherServer = await start({ tls: { mutual: true }, security: { users: { ada: PASSWORD } } })
    await expectFails(open(otherServer, { authMode: 'pki', tls: otherServer.tls }), { code: 'AUTH' })
  }, 20_000)
})

describe('a function for user and password', () => {
  const secured = () => start({ security: { users: { ada: PASSWORD } } })

  test('is called when connecting, and again when its answer expires: passwords change without a restart', async () => {
    const server = await secured()
    let password = PASSWORD
    const auth = jest.fn(async () => ({ user: 'ada', password, lease: 'what else a vault gives' }))
    const sessions = open(server, { auth, timeout: 10_000 }, AerospikeStore)
    const session = { cookie: { originalMaxAge: null } }
    await sessions.set('a', session)
    const before = auth.mock.calls.length
    expect(before).toBeGreaterThan(0)
    await server.setPassword('ada', OTHER)
    password = OTHER
    await server.expireSessions({ disconnect: true })
    // No operation fails, not even one that starts while connections close.
    while (auth.mock.calls.length === before) await sessions.set('a', session)
    await sessions.set('a', session)
  }, 20_000)

  test('that returns the new password late is called until it is right', async () => {
    const server = await secured()
    let password = PASSWORD
    const sessions = open(server, { auth: () => ({ user: 'ada', password }) })
    await expectWorks(sessions)
    await server.setPassword('ada', OTHER)
    await server.expireSessions({ disconnect: true })
    expect(await failure(sessions.get('works'))).toMatchObject({ code: 'AUTH' })
    password = OTHER
    await eventually(() => expectWorks(sessions))
  }, 20_000)

  test.each([
    ['throws', () => { throw new Error('the vault is sealed') }, 'the vault is sealed'],
    ['rejects', () => Promise.reject(new Error('the vault is sealed')), 'the vault is sealed'],
    ['rejects with a value that is not an error', () => Promise.reject(PASSWORD), 'a string'],
    ['returns nothing', () => {}, 'it must give { user, password }, not undefined'],
    ['returns a string', () => PASSWORD, 'it must give { user, password }, not a string'],
    ['returns no password', () => ({ user: 'ada' }), "'user' needs option 'password'"],
    ['returns a number as the password', () => ({ user: 'ada', password: 5 }), "'password' must be a string, not a number"],
    ['returns a password that is too long', () => ({ user: 'ada', password: PASSWORD.repeat(100) }), 'at most 900 bytes long together']
  ])('that %s fails the store with AUTH only', async (_, auth, cause) => {
    const unhandled = jest.fn()
    process.on('unhandledRejection', unhandled)
    cleanups.push(() => process.off('unhandledRejection', unhandled))
    const sessions = open(await secured(), { auth })
    const expected = { code: 'AUTH', message: says("the function in option 'auth' gave no user and password"), cause: { message: says(cause) } }
    await expectFails(sessions, expected)
    await new Promise(resolve => setImmediate(resolve))
    expect(unhandled).not.toHaveBeenCalled()
  })

  test('that never answers fails the store within connectTimeout, and is called again', async () => {
    const server = await secured()
    let answers = false
    const auth = jest.fn(() => answers ? { user: 'ada', password: PASSWORD } : new Promise(() => {}))
    const sessions = open(server, { auth, connectTimeout: 2_000 })
    const message = says("gave no user and password within option 'connectTimeout'")
    expect(await failure(sessions.ready())).toMatchObject({ code: 'AUTH', retryable: true, message })
    answers = true
    await eventually(() => expectWorks(sessions))
  })

  test('that answers after the store was closed has no effect', async () => {
    let ask
    const asked = new Promise(resolve => { ask = resolve })
    const sessions = open(await secured(), { auth: () => new Promise(resolve => ask(resolve)) })
    const ready = failure(sessions.ready())
    const answer = await asked
    await sessions.close()
    expect(await ready).toMatchObject({ code: 'CLOSED' })
    answer({ user: 'ada', password: PASSWORD })
    await new Promise(resolve => setImmediate(resolve))
  })
})

describe('a cluster', () => {
  test('with another name is reported within connectTimeout', async () => {
    const server = await start({ clusterName: 'sessions-eu' })
    await expectWorks(open(server, { clusterName: 'sessions-eu' }))
    const message = says("is not of cluster 'sessions-us' (option 'clusterName')")
    await expectFails(open(server, { clusterName: 'sessions-us' }), { code: 'SERVER', retryable: false, message })
    await expectFails(open(await start(), { clusterName: 'sessions-us' }), { code: 'SERVER', message })
  })

  test('is asked for its alternate addresses with servicesAlternate', async () => {
    const server = await start()
    let asked = ''
    const tap = await listen(socket => {
      const upstream = net.connect(server.port, '127.0.0.1')
      socket.on('data', data => { asked += data.toString('latin1') })
      socket.pipe(upstream).pipe(socket)
      socket.on('close', () => upstream.destroy())
      upstream.on('error', () => {}).on('close', () => socket.destroy())
    })
    const before = open(tap)
    await before.ready()
    expect(asked).toMatch(/peers-clear-std/)
    expect(asked).not.toMatch(/alt/)
    await before.close()
    await open(tap, { servicesAlternate: true }).ready()
    expect(asked).toMatch(/peers-clear-alt/)
  })

  test.each([1, 2])("with racks is read from the store's own rack (rack %d)", async rack => {
    const server = await start({ nodes: 2, racks: [1, 2] })
    const sessions = open(server, { rackIds: [rack] })
    const ids = Array.from({ length: 40 }, (_, n) => `s${n}`)
    await Promise.all(ids.map((id, n) => sessions.save(id, { n })))
    const elsewhere = await server.inject({ kind: 'code', code: 4, on: 'read', node: 2 - rack })
    const found = () => Promise.all(ids.map(id => sessions.get(id)))
    // The store learns the rack of a node on the second check of it.
    const expected = ids.map((_, n) => ({ n }))
    await eventually(async () => expect(await found()).toEqual(expected))
    for (const [n, id] of ids.entries()) expect(await sessions.get(id)).toEqual({ n })
    await elsewhere.remove()
  })

  test('without racks is read as usual', async () => {
    const server = await start({ nodes: 3 })
    const sessions = open(server, { rackIds: 1 })
    await Promise.all(Array.from({ length: 20 }, (_, n) => sessions.save(`s${n}`, { n })))
    for (let n = 0; n < 20; n++) expect(await sessions.get(`s${n}`)).toEqual({ n })
  })

  test.each([
    [{ clusterName: '' }, /'clusterName' must be 1 to 63 bytes long/],
    [{ clusterName: 'c'.repeat(64) }, /'clusterName' must be 1 to 63 bytes long/],
    [{ clusterName: 5 }, /'clusterName' must be a string, not a number/],
    [{ servicesAlternate: 'yes' }, /'servicesAlternate' must be true or false, not a string/],
    [{ rackIds: -1 }, /'rackIds' must be a whole number from 0 to 1000000, not -1/],
    [{ rackIds: [1, 1.5] }, /'rackIds' must be a whole number from 0 to 1000000, not 1.5/],
    [{ rackIds: [] }, /'rackIds' must not be empty/]
  ])('%j is rejected at once', (options, message) => {
    for (const Store of [SessionStore, AerospikeStore]) {
      expect(() => open({}, options, Store)).toThrow(expect.objectContaining({ code: 'BAD_OPTION', message: expect.stringMatching(message) }))
    }
  })
})
