'use strict'

// Failures: how soon they are reported, and with which message. The tests start their own servers, so that they can stop them,
// and behave the same against any cluster.

const net = require('node:net')
const { once } = require('node:events')
const { AerospikeStore, AerospikeSessionError, SessionStore } = require('../..')
const { DevServer } = require('../../exports/dev-server')
const { hosts, freshSet, openSessions } = require('../support/server')
const { serve, Visitor } = require('../support/http')

/** Returns a port without a listener. */
async function freePort () {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

const open = []
function sessionsAt (where, options = {}) {
  const sessions = new SessionStore({ hosts: where, timeout: 2_000, ...options })
  open.push(sessions)
  return sessions
}

afterAll(() => Promise.all(open.map(one => one.close())))

const caught = promise => promise.then(() => { throw new Error('no error') }, error => error)

describe('more operations than maxPending', () => {
  test('fail at once with OVERLOAD, and do not affect earlier ones', async () => {
    const server = await DevServer.start()
    const sessions = sessionsAt(server.hosts, { maxPending: 3 })
    await sessions.ready()
    await server.freeze()
    const saves = [1, 2, 3, 4, 5].map(n => sessions.save(`s${n}`, { n }))
    const reason = await caught(saves[4])
    expect((await caught(saves[3])).code).toBe('OVERLOAD')
    expect(reason).toBeInstanceOf(AerospikeSessionError)
    expect(reason).toMatchObject({ code: 'OVERLOAD', retryable: true, inDoubt: false })
    expect(reason.message).toBe("save: 3 operations are under way already (option 'maxPending')")
    await server.thaw()
    await Promise.all(saves.slice(0, 3))
    // The queue has capacity again.
    expect(await sessions.get('s3')).toEqual({ n: 3 })
    expect(await sessions.get('s5')).toBeNull()
    await sessions.close()
    await server.stop()
  })
})

describe('an unreachable cluster', () => {
  test('fails no constructor, but every operation with UNAVAILABLE and the hosts tried', async () => {
    const port = await freePort()
    const sessions = sessionsAt(`127.0.0.1:${port}, [::1]:${port}`)
    const operations = [sessions.get('a'), sessions.save('a', {}), sessions.touch('a'), sessions.delete('a'), sessions.has('a'), sessions.ready()]
    for (const error of await Promise.all(operations.map(caught))) {
      expect(error).toBeInstanceOf(AerospikeSessionError)
      expect(error).toMatchObject({ name: 'AerospikeSessionError', code: 'UNAVAILABLE', retryable: true, inDoubt: false })
      expect(error.message).toContain(`127.0.0.1:${port}`)
      expect(error.message).toContain(`[::1]:${port}`)
      expect(error.cause).toBeInstanceOf(Error)
    }
  })

  test('that accepts connections without answering fails operations by their timeout', async () => {
    const silent = net.createServer(socket => socket.resume()).listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const sessions = sessionsAt(`127.0.0.1:${silent.address().port}`, { timeout: 200, connectTimeout: 400 })
    const error = await caught(sessions.get('a'))
    expect(error.code).toBe('UNAVAILABLE')
    expect((await caught(sessions.ready())).code).toBe('UNAVAILABLE')
    await sessions.close()
    silent.close()
  })

  test('that speaks another protocol fails with UNAVAILABLE and its answer', async () => {
    const babble = net.createServer(socket => { socket.on('error', () => {}); socket.end('HTTP/1.1 400 Bad Request\r\n\r\n') })
    babble.listen(0, '127.0.0.1')
    await once(babble, 'listening')
    const sessions = sessionsAt(`127.0.0.1:${babble.address().port}`)
    expect((await caught(sessions.get('a'))).code).toBe('UNAVAILABLE')
    await sessions.close()
    babble.close()
  })

  test('whose name cannot be resolved fails with UNAVAILABLE', async () => {
    const error = await caught(sessionsAt('no-such-host.invalid').get('a'))
    expect(error.code).toBe('UNAVAILABLE')
    expect(error.message).toContain('no-such-host.invalid:3000')
  })

  test('is used as soon as it is reachable, without a restart of the app', async () => {
    const port = await freePort()
    const sessions = sessionsAt(`127.0.0.1:${port}`)
    expect((await caught(sessions.save('a', { a: 1 }))).code).toBe('UNAVAILABLE')
    const server = await DevServer.start({ port })
    await sessions.save('a', { a: 1 })
    expect(await sessions.get('a')).toStrictEqual({ a: 1 })
    await server.stop()
  })

  test('answers a request with an error, and serves the next one when it is back', async () => {
    const port = await freePort()
    const store = new AerospikeStore({ hosts: `127.0.0.1:${port}` })
    const app = await serve(store, app => app.get('/', (req, res) => {
      req.session.visits = (req.session.visits ?? 0) + 1
      res.json(req.session.visits)
    }))
    const server = await DevServer.start({ port })
    const visitor = new Visitor(app.url)
    expect(await visitor.get('/')).toStrictEqual({ status: 200, body: 1 })
    await server.stop()
    expect(await visitor.get('/')).toMatchObject({ status: 500, body: { code: 'UNAVAILABLE' } })
    const again = await DevServer.start({ port })
    expect((await visitor.get('/')).status).toBe(200)
    await app.stop()
    await store.close()
    await again.stop()
  })
})

describe('a server that restarts', () => {
  test('is used again at once by stores that were connected to it', async () => {
    const server = await DevServer.start()
    const sessions = sessionsAt(server.hosts)
    await sessions.save('a', { a: 1 })
    await server.stop()
    const again = await DevServer.start({ port: server.port })
    await sessions.save('b', { b: 1 })
    expect(await sessions.get('b')).toStrictEqual({ b: 1 })
    expect(await sessions.get('a')).toBeNull()
    await again.stop()
  })
})

describe('a closed store', () => {
  test('fails every operation with CLOSED, and can be closed again', async () => {
    const sessions = openSessions()
    await sessions.save('a', { a: 1 })
    await sessions.delete('a')
    await sessions.close()
    expect(await caught(sessions.get('a'))).toMatchObject({ code: 'CLOSED', retryable: false })
    const error = await new Promise(resolve => sessions.save('a', {}, resolve))
    expect(error.code).toBe('CLOSED')
    await sessions.close()
    await new Promise(resolve => sessions.close(resolve))
  })

  test('fails pending operations with CLOSED', async () => {
    const silent = net.createServer(socket => socket.resume()).listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const sessions = sessionsAt(`127.0.0.1:${silent.address().port}`, { timeout: 60_000, connectTimeout: 60_000 })
    const pending = [sessions.get('a'), sessions.get('a'), sessions.save('b', {}), sessions.ready()].map(caught)
    const [asked] = await once(silent, 'connection')
    await sessions.close()
    for (const one of pending) expect((await one).code).toBe('CLOSED')
    // A connection attempt leaves nothing behind.
    if (!asked.closed) await once(asked, 'close')
    silent.close()
  })

  test('closes at the end of an "await using" block', async () => {
    const sessions = new SessionStore({ hosts: hosts(), set: freshSet() })
    await sessions[Symbol.asyncDispose]()
    expect((await caught(sessions.get('a'))).code).toBe('CLOSED')
  })
})

describe('a server that rejects', () => {
  test('a missing namespace fails with the names of the namespace and the option', async () => {
    const sessions = sessionsAt(hosts(), { namespace: 'no-such-ns', timeout: 500 })
    const error = await caught(sessions.save('a', {}))
    expect(error.code).toBe('NAMESPACE')
    expect(error.message).toMatch(/has no namespace 'no-such-ns' \(option 'namespace'\)/)
  })

  test('a session larger than a record may be', async () => {
    const sessions = openSessions()
    const error = await caught(sessions.save('big', { big: 'x'.repeat(2 * 1024 * 1024) }))
    expect(error).toMatchObject({ code: 'TOO_BIG', retryable: false, resultCode: 13 })
    expect(await sessions.get('big')).toBeNull()
  })
})

describe('a result code of the server', () => {
  test.each([
    [8, 'OVERLOAD', /the namespace is full/],
    [11, 'UNAVAILABLE', /no node has the part of the data that this session belongs to/],
    [14, 'OVERLOAD', /too many writes wait for this session/],
    [18, 'OVERLOAD', /storage cannot keep up/],
    [83, 'OVERLOAD', /quota of operations per second is used up/]
  ])('%d is reported as %s with its own message and as retryable', async (code, name, words) => {
    const server = await DevServer.start()
    const sessions = sessionsAt(server.hosts, { timeout: 300 })
    await sessions.ready()
    await server.inject({ kind: 'code', code, on: ['write'] })
    const error = await sessions.save('a', {}).catch(error => error)
    expect(error).toMatchObject({ code: name, resultCode: code, retryable: true, inDoubt: false, message: expect.stringMatching(words) })
    await server.clearFaults()
    await sessions.save('a', {})
    await sessions.close()
    await server.stop()
  })
})

describe('a full server', () => {
  test('rejects new sessions, keeps the stored ones, and allows logouts', async () => {
    const server = await DevServer.start({ memory: '1m' })
    const sessions = sessionsAt(server.hosts)
    const stores = [{}, { tombstones: true, set: 'buried' }].map(options => new AerospikeStore({ hosts: server.hosts, ...options }))
    const session = { cookie: { originalMaxAge: 60_000, expires: new Date(Date.now() + 60_000) }, user: 'ada' }
    for (const store of stores) await store.set('there', session)
    await sessions.save('there as well', { user: 'bob' })
    let error
    for (let n = 0; error === undefined && n < 100; n++) error = await sessions.save(`s${n}`, { big: 'x'.repeat(50_000) }).catch(error => error)
    expect(error).toMatchObject({ code: 'OVERLOAD', resultCode: 8, retryable: true, inDoubt: false })

    expect(await sessions.get('there as well')).toEqual({ user: 'bob' })
    expect(await sessions.delete('there as well')).toBe(true)
    expect(await sessions.delete('there as well')).toBe(false)
    expect(await sessions.get('there as well')).toBeNull()
    for (const store of stores) {
      expect((await store.get('there')).user).toBe('ada')
      await store.destroy('there')
      expect(await store.get('there')).toBeNull()
      await store.close()
    }
    await server.stop()
  })
})
