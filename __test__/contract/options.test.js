'use strict'

const fc = require('fast-check')
const { AerospikeStore, AerospikeSessionError, SessionStore } = require('../..')
const { FastifyStore } = require('../../exports/fastify')
const { HonoStore } = require('../../exports/hono')
const { KoaStore } = require('../../exports/koa')
const { ReactRouterStore } = require('../../exports/react-router')
const { aerospikeStoreOptions, callOptions, sessionStoreOptions } = require('../../lib/options/options')
const { rowsUnder } = require('../support/pages')

/** Returns the options as the core gets them. */
const parse = options => {
  const { cluster, view } = sessionStoreOptions(options)
  return { ...cluster, ...view }
}
const hostsOf = hosts => parse({ hosts }).hosts

describe('without options', () => {
  const { AEROSPIKE_HOSTS } = process.env
  afterEach(() => {
    if (AEROSPIKE_HOSTS === undefined) delete process.env.AEROSPIKE_HOSTS
    else process.env.AEROSPIKE_HOSTS = AEROSPIKE_HOSTS
  })

  test('the defaults are those of the recipe for Java and Python', () => {
    delete process.env.AEROSPIKE_HOSTS
    expect(sessionStoreOptions()).toStrictEqual({
      ttl: 86_400,
      ask: undefined,
      json: { replacer: null, reviver: null },
      cluster: {
        hosts: [{ name: 'localhost', port: 3000, tlsName: null }],
        auth: null,
        tls: null,
        timeout: 3_000,
        connectTimeout: 5_000,
        maxConnsPerNode: 64,
        clusterName: null,
        servicesAlternate: false,
        rackIds: [],
        maxPending: 100_000,
        ioThread: 'auto'
      },
      view: {
        namespace: 'test',
        set: 'sessions',
        bin: 'data',
        prefix: '',
        format: 'map',
        encryptionKeys: null,
        hashIds: null,
        maxSessionsPerUser: null,
        conflict: 'merge',
        storeIds: false,
        tombstones: false,
        durableDelete: false,
        absoluteTtl: null,
        touchAfter: 0,
        touchOnRead: null,
        watchInterval: 5_000,
        ttl: 86_400_000
      }
    })
  })

  test('hosts are taken from AEROSPIKE_HOSTS', () => {
    process.env.AEROSPIKE_HOSTS = 'one:3100, two'
    expect(parse().hosts).toStrictEqual([
      { name: 'one', port: 3100, tlsName: null }, { name: 'two', port: 3000, tlsName: null }
    ])
    process.env.AEROSPIKE_HOSTS = ''
    expect(parse().hosts[0].name).toBe('localhost')
  })
})

describe('hosts', () => {
  const host = (name, port = 3000, tlsName = null) => ({ name, port, tlsName })

  test.each([
    ['db', [host('db')]],
    ['db:3100', [host('db', 3100)]],
    ['db:tls.example:4333', [host('db', 4333, 'tls.example')]],
    [' a:1 ,b:2,  c ', [host('a', 1), host('b', 2), host('c')]],
    ['::1', [host('::1')]],
    ['[::1]', [host('::1')]],
    ['[::1]:3100', [host('::1', 3100)]],
    ['[fe80::1]:tls:3100, 10.0.0.1:3000', [host('fe80::1', 3100, 'tls'), host('10.0.0.1')]],
    [['a', 'b:1,c'], [host('a'), host('b', 1), host('c')]],
    [[{ host: 'a' }, { host: '::1', port: 5, tlsName: 't' }, { host: '[::1]' }], [host('a'), host('::1', 5, 't'), host('::1')]],
    [{ host: 'a', port: 3100 }, [host('a', 3100)]]
  ])('accepts %j', (given, expected) => {
    expect(hostsOf(given)).toStrictEqual(expected)
  })

  test.each([
    [''], ['a,,b'], ['a:0'], ['a:65536'], ['a:port'], ['a:1:2:3'], ['[::1'], ['[nonsense]:1'], ['a b'], [[]], [7], [null, 'ok'],
    [[{}]], [[{ host: 'a:1' }]], [[{ host: 'a', port: '1' }]], [[{ host: 'a', tls: 'x' }]], [[{ host: 'a', tlsName: 1 }]], [[null]]
  ])('rejects %j with a message', given => {
    if (given === null) return expect(hostsOf(given)[0].name).toBeDefined()
    expect(() => hostsOf(given)).toThrow(expect.objectContaining({
      code: 'BAD_OPTION', message: expect.stringMatching(/^(option 'hosts|an entry)/)
    }))
  })
})

describe('the default may be given', () => {
  const documented = rowsUnder('docs/options.md', 'option').flatMap(([cell, , standard]) => {
    const [, name] = /^`(\w+)`/.exec(cell)
    const [, literal] = /^`([^`]+)`/.exec(standard) ?? []
    return literal === undefined || /^[A-Z_]+$/.test(literal) ? [] : [[name, literal]]
  })

  test('for each option that has one', () => {
    expect(documented.length).toBeGreaterThan(15)
  })

  test.each(documented)('%s: %s', (name, literal) => {
    const value = eval(`(${literal})`) // eslint-disable-line no-eval
    const login = name === 'authMode' ? { auth: { user: 'a', password: 'b' } } : {}
    const options = { ...login, [name]: value }
    const isOfBoth = ![...'conflict touchAfter watchInterval whenDown'.split(' ')].includes(name)
    if (isOfBoth) expect(sessionStoreOptions(options)).toStrictEqual(sessionStoreOptions(login))
    const store = new AerospikeStore({ hosts: '127.0.0.1:9', ...options })
    const { view } = store.connection
    const plain = new AerospikeStore({ hosts: '127.0.0.1:9', ...login })
    expect(view).toStrictEqual(plain.connection.view)
    return Promise.all([store.close(), plain.close()])
  })

  test('and overrides the option of a client', async () => {
    const client = new AerospikeStore({ hosts: '127.0.0.1:9', touchAfter: 60 }).client
    expect(new AerospikeStore({ client, touchAfter: 0 }).connection.view.touchAfter).toBe(0)
    await client.close()
  })
})

describe('hosts of other programs are rejected with a message, without a password', () => {
  const PASSWORD = 'hunter2'
  const URLS = ['aerospike', 'aerospikes', 'redis', 'rediss', 'mongodb', 'mongodb+srv', 'http', 'https', 'tcp', 'REDIS']

  test.each([
    ...URLS.flatMap(scheme => [
      [`${scheme}://127.0.0.1:3000`, `has a URL: write 'host:port' without '${scheme}://'`],
      [`${scheme}://127.0.0.1`, 'has a URL'],
      [`${scheme}://ada:${PASSWORD}@127.0.0.1:3000/test`, 'has a URL'],
      [`a:3000, ${scheme}://127.0.0.1:3000`, 'has a URL']
    ]),
    ['127.0.0.1;3000', "has a ';': put ',' between hosts"],
    ['127.0.0.1:3000;127.0.0.2:3000', "has a ';'"],
    [`ada:${PASSWORD}@127.0.0.1:3000`, "has an '@'"],
    [`${PASSWORD}@127.0.0.1`, "has an '@'"],
    ['127.0.0.1:3000/test', 'has an entry with a path'],
    ['127.0.0.1/test', 'has an entry with a path'],
    ['127.0.0.1?namespace=test', 'has an entry with a path'],
    ['a\\b', 'has an entry with a path'],
    ['"127.0.0.1"', 'whose host is neither a name nor an address'],
    ['127.0.0.1|127.0.0.2', 'whose host is neither a name nor an address'],
    ['$HOST:3000', 'whose host is neither a name nor an address'],
    ['*', 'whose host is neither a name nor an address']
  ])('%s', (given, words) => {
    const name = given.replace(/:3000$/, '')
    for (const hosts of [given, [given], [{ host: given }], [{ host: name, port: 3000 }], ['a', given]]) {
      let message
      try {
        hostsOf(hosts)
      } catch (error) {
        expect(error.code).toBe('BAD_OPTION')
        message = error.message
      }
      expect(message).toContain(typeof hosts === 'string' ? words : "option 'hosts' has a")
      expect(message).not.toContain(PASSWORD)
    }
    const { AEROSPIKE_HOSTS } = process.env
    try {
      process.env.AEROSPIKE_HOSTS = given
      expect(() => parse()).toThrow(words)
    } finally {
      if (AEROSPIKE_HOSTS === undefined) delete process.env.AEROSPIKE_HOSTS
      else process.env.AEROSPIKE_HOSTS = AEROSPIKE_HOSTS
    }
  })

  test.each(['db_1.internal', 'my-db.example.org.', 'дб.пример', 'a', '10.0.0.1', 'fe80::1%eth0'])('accepts %s as a host', name => {
    expect(hostsOf(name)[0].name).toBe(name)
    expect(hostsOf([{ host: name }])[0].name).toBe(name)
  })
})

describe('a wrong option is rejected at once with a message', () => {
  test.each([
    [{ namspace: 'test' }, /unknown option 'namspace': did you mean 'namespace'\?/],
    [{ maxConnectionsPerNode: 1 }, /unknown option 'maxConnectionsPerNode': did you mean 'maxConnsPerNode'\?/],
    [{ zzz: 1 }, /unknown option 'zzz'$/],
    [{ namespace: 'a'.repeat(32) }, /'namespace' must be at most 31 bytes/],
    [{ namespace: '' }, /'namespace' must be made of/],
    [{ set: 'a;b' }, /'set' must be made of/],
    [{ set: 'a\n' }, /'set' must be made of/],
    [{ set: 's'.repeat(64) }, /'set' must be at most 63 bytes/],
    [{ bin: 'b'.repeat(16) }, /'bin' must be at most 15 bytes/],
    [{ bin: 'cookie' }, /its own bin of that name/],
    [{ prefix: 5 }, /'prefix' must be a string, not a number/],
    [{ prefix: '\ud800' }, /'prefix' must be well-formed/],
    [{ ttl: 0 }, /'ttl' must be more than 0/],
    [{ ttl: -1 }, /'ttl' must be more than 0/],
    [{ ttl: NaN }, /'ttl' must be more than 0/],
    [{ ttl: '60' }, /'ttl' must be a number of seconds, not a string/],
    [{ ttl: 315_360_001 }, /10 years/],
    [{ timeout: 0 }, /'timeout' must be a whole number of milliseconds from 1 to 600000, not 0/],
    [{ timeout: 1.5 }, /'timeout' must be a whole number/],
    [{ connectTimeout: '5s' }, /'connectTimeout' must be a number of milliseconds, not a string/],
    [{ maxPending: 0 }, /'maxPending' must be a whole number from 1/],
    [{ maxConnsPerNode: 0 }, /'maxConnsPerNode' must be a whole number from 1/],
    [{ auth: { user: 'a' } }, /'user' needs option 'password'/],
    [{ auth: { name: 'a' } }, /unknown option 'name' \(the full name is 'auth.name'\)/],
    [{ tls: { cafile: '/ca.pem' } }, /unknown option 'cafile': did you mean 'ca'\? \(the full name is 'tls.cafile'\)/],
    [{ tls: { certFile: '/cert.pem' } }, /did you mean 'cert'\? \(the full name is 'tls.certFile'\)/],
    [{ tls: { key_file: '/key.pem' } }, /did you mean 'key'\? \(the full name is 'tls.key_file'\)/],
    [{ format: 'JSON' }, /'format' must be 'map' or 'json', not 'JSON'$/],
    [{ format: 'jsn' }, /'format' must be 'map' or 'json', not 'jsn'$/],
    [{ format: 'maps' }, /'format' must be 'map' or 'json', not 'maps'$/],
    [{ format: Symbol('map') }, /'format' must be 'map' or 'json', not a symbol$/],
    [{ auth: { user: 'a', password: 'b' }, authMode: 'LDAP!hunter2' }, /'authMode' must be .*, not a string with another value$/],
    [{ auth: { user: 'a', password: 'b' }, authMode: 'Internal' }, /'authMode' must be .*, not 'Internal'$/],
    [{ auth: { user: 'a', password: 'b' }, password: 'c' }, /'auth' stands in the place of 'user' and 'password'/],
    [{ password: 'a' }, /'password' needs option 'user'/],
    [{ format: 'xml' }, /'format' must be 'map' or 'json', not a string/],
    [{ storeIds: 1 }, /'storeIds' must be true or false, not 1/],
    [{ tombstones: true, durableDelete: true }, /choose one/],
    [{ absoluteTtl: 0 }, /'absoluteTtl' must be more than 0/],
    [{ touchOnRead: 101 }, /'touchOnRead' must be a whole number of percent from 1 to 100/],
    [{ user: 'a', password: 'p'.repeat(900) }, /at most 900 bytes/],
    ['localhost:3000', /options must be an object, not a string/],
    [null, /options must be an object, not null/]
  ])('%j', (options, message) => {
    for (const Class of [SessionStore, AerospikeStore]) {
      const failure = expect.objectContaining({ code: 'BAD_OPTION', message: expect.stringMatching(message) })
      expect(() => new Class(options)).toThrow(failure)
      expect(() => new Class(options)).toThrow(AerospikeSessionError)
    }
  })

  test.each([
    [{ conflict: 'last' }, /'conflict' must be 'merge' or 'overwrite'/],
    [{ touchAfter: '5' }, /'touchAfter' must be a number of seconds/],
    [{ whenDown: 'anonymus' }, /'whenDown' must be 'error' or 'anonymous', not 'anonymus'$/],
    [{ conflict: 'Merge' }, /'conflict' must be 'merge' or 'overwrite', not 'Merge'$/],
    [{ touchAfter: -1 }, /'touchAfter' must be/],
    [{ watchInterval: '5' }, /'watchInterval' must be a number of seconds/],
    [{ watchInterval: 0.09 }, /'watchInterval' must be from 0.1 to 3600 seconds/],
    [{ whenDown: 'ignore' }, /'whenDown' must be 'error' or 'anonymous'/],
    [{ user: 'a..b' }, /'user' must be a function, a path/],
    [{ user: 5 }, /'user' must be a string, not a number/],
    [{ user: () => 'a', password: 'b' }, /log in by option 'auth'/]
  ])('of an AerospikeStore: %j', (options, message) => {
    expect(() => new AerospikeStore(options)).toThrow(expect.objectContaining({
      code: 'BAD_OPTION', message: expect.stringMatching(message)
    }))
    if (!('user' in options)) expect(() => new SessionStore(options)).toThrow(/unknown option/)
  })

  test('a login name without a password, if no session has an owner', () => {
    expect(() => new SessionStore({ user: 'a' })).toThrow(/'user' needs option 'password'/)
  })

  test('and no message contains a password or a session id', () => {
    const secret = 'hunter2'.repeat(200)
    try {
      parse({ user: 'a', password: secret })
    } catch (error) {
      expect(error.message).not.toContain('hunter2')
    }
  })

  test('a client that is not one, or connection options beside a client', () => {
    expect(() => new AerospikeStore({ client: {} })).toThrow(/'client' must be a SessionStore/)
    expect(() => new AerospikeStore({ client: {}, set: 'x' })).toThrow(/'set' belongs to the client/)
  })

  test('a client that is another kind of store or from another copy of the package', async () => {
    const hosts = '127.0.0.1:9'
    let other
    jest.isolateModules(() => { other = { ...require('../..'), ...require('../../exports/koa'), ...require('../../exports/fastify') } })
    const open = [new AerospikeStore({ hosts }), new KoaStore({ hosts }), new other.SessionStore({ hosts }), new other.AerospikeStore({ hosts }), new (class Sub extends other.SessionStore {})({ hosts })]
    const [own, koa, theirs, theirStore, sub] = open
    const wrong = [
      [own, 'must be a SessionStore, not an AerospikeStore: give its property `client`'],
      [theirStore, 'not an AerospikeStore: give its property `client`'],
      [koa, 'must be a SessionStore, not a KoaStore: give its property `store.client`'],
      [theirs, 'must be a SessionStore of the same copy of aerospike-session, and this one is of another: the package is loaded twice'],
      [sub, 'the package is loaded twice'],
      [null, 'must be a SessionStore, not null'],
      ['client', 'must be a SessionStore, not a string'],
      [() => {}, 'must be a SessionStore, not a function'],
      [Object.create(null), 'must be a SessionStore, not an object']
    ]
    for (const Store of [AerospikeStore, FastifyStore, KoaStore, HonoStore, ReactRouterStore]) {
      for (const [client, message] of wrong) {
        expect(() => new Store({ client })).toThrow(expect.objectContaining({ code: 'BAD_OPTION', message: expect.stringContaining(message) }))
      }
    }
    await Promise.all(open.map(store => store.close()))
  })

  test('a ttl of one call', () => {
    expect(callOptions(undefined)).toStrictEqual({})
    expect(callOptions({ ttl: 5 })).toStrictEqual({ ttl: 5 })
    expect(() => callOptions({ tll: 5 })).toThrow(/did you mean 'ttl'\?/)
    expect(() => callOptions({ ttl: 0 })).toThrow(/'ttl' must be more than 0/)
  })
})

describe('an option that is undefined', () => {
  const PROTECTING = ['auth', 'password', 'tls', 'clusterName', 'prefix', 'encryptionKeys', 'hashIds', 'absoluteTtl', 'tombstones', 'durableDelete']
  const HARMLESS = [
    'hosts', 'authMode', 'timeout', 'connectTimeout', 'maxConnsPerNode', 'maxPending', 'servicesAlternate', 'rackIds', 'namespace', 'set', 'bin', 'ttl',
    'format', 'storeIds', 'touchOnRead', 'ioThread'
  ]
  const OF_EXPRESS = ['conflict', 'touchAfter', 'user', 'watchInterval']
  /** Each class, with its own options. */
  const CLASSES = [
    [SessionStore, ['user'], []],
    [AerospikeStore, ['client'], [...OF_EXPRESS, 'whenDown']],
    ...[FastifyStore, KoaStore, HonoStore, ReactRouterStore].map(Store => [Store, ['client'], OF_EXPRESS])
  ]
  /** The ways in which an object can have a property. */
  const FORMS = {
    'its own': (name, others) => ({ ...others, [name]: undefined }),
    'spread over a value': (name, others) => ({ ...others, [name]: 'a value', ...{ [name]: undefined } }),
    inherited: (name, others) => Object.assign(Object.create({ [name]: undefined }), others),
    'a getter of a class': (name, others) => {
      class Config {}
      Object.defineProperty(Config.prototype, name, { get: () => undefined })
      return Object.assign(new Config(), others)
    }
  }
  const refusal = name => expect.objectContaining({
    code: 'BAD_OPTION', message: expect.stringMatching(new RegExp(`^option '${name}' is undefined: set it, or leave it out (to|if) `))
  })

  const cases = CLASSES.flatMap(([Store, protecting]) => [...PROTECTING, ...protecting].map(name => [name, Store]))
  test.each(cases)('and protects something is rejected: %s of %p', (name, Store) => {
    for (const make of Object.values(FORMS)) expect(() => new Store(make(name, { hosts: '127.0.0.1:9' }))).toThrow(refusal(name))
  })

  test.each(CLASSES.slice(1).flatMap(([Store]) => PROTECTING.map(name => [name, Store])))('and protects something is rejected beside a client: %s of %p', (name, Store) => {
    const client = new SessionStore({ hosts: '127.0.0.1:9' })
    for (const make of Object.values(FORMS)) expect(() => new Store(make(name, { client }))).toThrow(refusal(name))
    return client.close()
  })

  test.each(['ca', 'cert', 'key', 'pins'])('and protects something is rejected within tls: %s', name => {
    for (const [Store] of CLASSES) {
      for (const make of Object.values(FORMS)) expect(() => new Store({ tls: make(name, {}) })).toThrow(refusal(`tls.${name}`))
    }
  })

  test.each([
    [{ user: 'ada', password: undefined }, /'password' is undefined/],
    [{ user: undefined, password: 'secret' }, /'user' is undefined|'password' needs option 'user'/],
    [{ user: undefined, password: undefined }, /'user' is undefined|'password' is undefined/],
    [{ auth: { user: 'ada', password: undefined } }, /'user' needs option 'password'/],
    [{ auth: { user: undefined, password: 'secret' } }, /'password' needs option 'user'/],
    [{ encryptionKeys: [undefined] }, /key 0 of option 'encryptionKeys' must be 32 bytes, as a Buffer or in base64, not undefined/],
    [{ encryptionKeys: [Buffer.alloc(32), undefined] }, /key 1 of option 'encryptionKeys'/],
    // eslint-disable-next-line no-sparse-arrays
    [{ encryptionKeys: [, Buffer.alloc(32)] }, /key 0 of option 'encryptionKeys'/],
    [{ tls: { ca: [undefined] } }, /'tls.ca' must be PEM/],
    [{ tls: { pins: [undefined] } }, /'tls.pins' must be a string, not undefined/],
    [{ tls: { pins: Array(1) } }, /'tls.pins' must be a string, not undefined/]
  ])('and part of a protecting option is rejected: %p', (options, message) => {
    for (const [Store] of CLASSES) {
      expect(() => new Store(options)).toThrow(expect.objectContaining({ code: 'BAD_OPTION', message: expect.stringMatching(message) }))
    }
  })

  test.each([...PROTECTING, 'client'])('is rejected like null for the protecting option %s', name => {
    for (const [Store, protecting] of CLASSES) {
      if (PROTECTING.includes(name) || protecting.includes(name)) {
        expect(() => new Store({ hosts: '127.0.0.1:9', [name]: null })).toThrow(expect.objectContaining({ code: 'BAD_OPTION' }))
      }
    }
  })

  test('and protects nothing counts as left out', async () => {
    expect(sessionStoreOptions(Object.fromEntries(HARMLESS.map(name => [name, undefined])))).toStrictEqual(sessionStoreOptions({}))
    const given = Object.fromEntries([...HARMLESS, ...OF_EXPRESS, 'whenDown'].map(name => [name, undefined]))
    expect(aerospikeStoreOptions(given)).toStrictEqual(aerospikeStoreOptions({}))
    for (const [Store,, own] of CLASSES) {
      await new Store(Object.fromEntries([...HARMLESS, ...own].map(name => [name, undefined]))).close()
    }
    expect(parse({ tls: { servername: undefined } })).toStrictEqual(parse({ tls: {} }))
    expect(hostsOf({ host: 'a', port: undefined, tlsName: undefined })).toStrictEqual(hostsOf('a'))
  })

  test('is rejected whatever other options are left out', () => {
    const others = ['client', ...OF_EXPRESS, 'whenDown']
    fc.assert(fc.property(fc.subarray([...PROTECTING, ...HARMLESS, ...others]), names => {
      const options = Object.fromEntries(names.map(name => [name, undefined]))
      if (names.some(name => [...PROTECTING, 'client'].includes(name))) {
        expect(() => aerospikeStoreOptions(options)).toThrow(/^option '\w+' is undefined: /)
      } else {
        expect(aerospikeStoreOptions(options)).toStrictEqual(aerospikeStoreOptions({}))
      }
    }))
  })

  test('is not stored as the owner of a session', async () => {
    const store = new AerospikeStore({ hosts: '127.0.0.1:9', user: undefined })
    expect(aerospikeStoreOptions({ user: undefined }).user).toBeUndefined()
    await store.close()
  })
})

test('inherited options count in every store', async () => {
  const inherited = Object.create({ prefix: 7 })
  for (const Store of [SessionStore, AerospikeStore, FastifyStore, KoaStore, HonoStore, ReactRouterStore]) {
    expect(() => new Store(inherited)).toThrow(/'prefix' must be a string, not a number/)
  }
})

test('a wrong option of one call fails the call, not the process', async () => {
  const sessions = new SessionStore({ hosts: '127.0.0.1:9', timeout: 50 })
  await expect(sessions.save('a', {}, { ttl: -1 })).rejects.toMatchObject({ code: 'BAD_OPTION' })
  const error = await new Promise(resolve => sessions.touch('a', { ttl: 'x' }, resolve))
  expect(error.code).toBe('BAD_OPTION')
  await sessions.close()
})
