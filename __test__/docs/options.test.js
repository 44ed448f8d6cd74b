'use strict'

// Compares docs/options.md and docs/testing.md with the code: the options are complete and exist, the defaults are those of
// lib/options/options.js, and the documented error messages are right.

const fs = require('node:fs')
const path = require('node:path')
const ts = require('typescript')
const { AerospikeStore, SessionStore } = require('../..')
const { AerospikeRateLimitStore, RateLimiter } = require('../../exports/rate-limit')
const { aerospikeStoreOptions, devServerOptions, sessionStoreOptions, view } = require('../../lib/options/options')
const { PROTECTING } = require('../../lib/options/validate')
const { ROOT, rowsUnder } = require('../support/pages')

/** Returns the properties that an interface declares itself. */
function declared (file, name) {
  const source = ts.createSourceFile(file, fs.readFileSync(path.join(ROOT, file), 'utf8'), ts.ScriptTarget.Latest)
  const found = source.statements.find(one => ts.isInterfaceDeclaration(one) && one.name.text === name)
  return found.members.map(member => member.name.text)
}

const nameOf = cell => /^`(\w+)`/.exec(cell)?.[1]
const rows = rowsUnder('docs/options.md', 'option').filter(row => row.length === 5)
const tlsRows = rowsUnder('docs/options.md', 'in tls')
const documented = rows.map(([name]) => nameOf(name))

const SESSION_STORE = declared('index.d.ts', 'SessionStoreOptions')
const ALL = [...new Set([...SESSION_STORE, ...declared('index.d.ts', 'AerospikeStoreOptions')])]

describe('docs/options.md', () => {
  test('lists every option of the types, and no others', () => {
    expect([...new Set(documented)].sort()).toStrictEqual([...ALL].sort())
    expect(tlsRows.map(([name]) => nameOf(name)).sort()).toStrictEqual(declared('index.d.ts', 'TlsOptions').sort())
  })

  test('the types have every option that the code accepts, and no others', () => {
    const isTaken = (read, name) => {
      try {
        read({ [name]: undefined })
        return true
      } catch (error) {
        // A protecting option is accepted, but not as undefined.
        if (/^option '\w+' is undefined/.test(error.message)) return true
        expect(error.message).toMatch(/^unknown option/)
        return false
      }
    }
    // The error for a similar name suggests the right one, which finds options that are missing in the types.
    const source = fs.readFileSync(path.join(ROOT, 'lib/options/options.js'), 'utf8')
    const lists = [...source.matchAll(/^const [A-Z]+ = \[([^\]]+)\]/gm)].map(([, list]) => list)
    const words = [...new Set(lists.join().match(/\w+/g))]
    expect(words.filter(name => isTaken(aerospikeStoreOptions, name)).sort()).toStrictEqual([...ALL].sort())
    expect(words.filter(name => isTaken(sessionStoreOptions, name)).sort()).toStrictEqual([...SESSION_STORE].sort())
  })

  test('lists the options that must not be undefined, with the text of the error', () => {
    const inTable = rowsUnder('docs/options.md', 'protects').map(([name, words]) => [/^`([\w.]+)`$/.exec(name)[1], words])
    expect(Object.fromEntries(inTable)).toStrictEqual(PROTECTING)
  })

  describe('with exactOptionalPropertyTypes', () => {
    const FILE = path.join(ROOT, '__test__/package/types/undefined.ts')
    /** Returns each option that is set to undefined, and whether TypeScript reports an error. */
    const options = [
      ...SESSION_STORE.map(name => ['SessionStoreOptions', name, Object.hasOwn(PROTECTING, name)]),
      // Without a password it is the owner of a session.
      ...ALL.map(name => ['AerospikeStoreOptions', name, Object.hasOwn(PROTECTING, name) && name !== 'user']),
      ...declared('index.d.ts', 'TlsOptions').map(name => ['TlsOptions', name, Object.hasOwn(PROTECTING, `tls.${name}`)]),
      ...['TtlOptions', 'WalkOptions', 'PruneOptions', 'WatchOptions'].flatMap(type => declared('index.d.ts', type).map(name => [type, name, false])),
      ...['port', 'tlsName'].map(name => ['Host', name, false]),
      ...declared('exports/framework.d.ts', 'FrameworkStoreOptions').map(name => ['KoaStoreOptions', name, false]),
      ...['FastifyStoreOptions', 'KoaStoreOptions', 'HonoStoreOptions', 'ReactRouterStoreOptions'].map(type => [type, 'hashIds', true])
    ]
    const moduleOf = type => {
      const framework = ['fastify', 'koa', 'hono', 'react-router'].find(name => type.toLowerCase() === `${name.replace('-', '')}storeoptions`)
      return framework === undefined ? 'aerospike-session' : `aerospike-session/${framework}`
    }
    let refused

    beforeAll(() => {
      const lines = options.map(([type, name], n) => `const o${n}: import('${moduleOf(type)}').${type} = { ${type === 'Host' ? "host: 'a', " : ''}${name}: undefined }; void o${n}`)
      const compilerOptions = {
        strict: true,
        exactOptionalPropertyTypes: true,
        noEmit: true,
        skipLibCheck: true,
        esModuleInterop: true,
        types: ['node'],
        module: ts.ModuleKind.NodeNext,
        target: ts.ScriptTarget.ES2022
      }
      const host = ts.createCompilerHost(compilerOptions)
      const { getSourceFile, fileExists } = host
      host.fileExists = file => file === FILE || fileExists.call(host, file)
      host.getSourceFile = (file, ...more) => file === FILE ? ts.createSourceFile(file, lines.join('\n'), ts.ScriptTarget.ES2022) : getSourceFile.call(host, file, ...more)
      const program = ts.createProgram([FILE], compilerOptions, host)
      const source = program.getSourceFile(FILE)
      const diagnostics = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)]
      refused = new Set(diagnostics.map(({ start }) => source.getLineAndCharacterOfPosition(start).line))
    }, 60_000)

    test('the types reject undefined for the same options', () => {
      expect(options.map(([type, name], n) => [type, name, refused.has(n)])).toStrictEqual(options)
    })
  })

  test('lists the method options of the types', () => {
    const names = rowsUnder('docs/options.md', 'method').map(([, name]) => nameOf(name))
    const types = ['TtlOptions', 'WalkOptions', 'PruneOptions', 'WatchOptions'].flatMap(name => declared('index.d.ts', name))
    expect(names.sort()).toStrictEqual([...types, 'except', 'of'].sort())
  })

  const SECONDS = ['ttl', 'absoluteTtl', 'touchAfter', 'watchInterval']
  const literal = ([, , standard]) => /^`([^`]+)`$/.exec(standard)?.[1]

  test.each(rows.filter(literal).map(row => [nameOf(row[0]), row]))('documents the default of %s', (name, row) => {
    const { AEROSPIKE_HOSTS } = process.env
    delete process.env.AEROSPIKE_HOSTS
    try {
      const { cluster } = sessionStoreOptions({ ...(name === 'authMode' && { auth: { user: 'a', password: 'b' } }) })
      const all = { ...cluster, ...view({}, 86_400), whenDown: aerospikeStoreOptions({}).whenDown, authMode: cluster.auth?.mode, tls: cluster.tls ?? false }
      const value = SECONDS.includes(name) ? all[name] / 1_000 : all[name]
      expect(`${name}: ${JSON.stringify(value)}`).toBe(`${name}: ${JSON.stringify(eval(literal(row)))}`) // eslint-disable-line no-eval
    } finally {
      if (AEROSPIKE_HOSTS !== undefined) process.env.AEROSPIKE_HOSTS = AEROSPIKE_HOSTS
    }
  })

  test('says "none" or "any" only for options that are off by default', () => {
    const { cluster, json } = sessionStoreOptions({ hosts: 'localhost' })
    const all = { ...cluster, ...view({}, 86_400), ...json }
    const off = rows.filter(([, , standard]) => ['none', 'any'].includes(standard)).map(([name]) => nameOf(name))
    expect(off.filter(name => !['user', 'password'].includes(name)).map(name => [name, [all[name]].flat().length === 0 || all[name] === null]))
      .toStrictEqual(off.filter(name => !['user', 'password'].includes(name)).map(name => [name, true]))
  })

  test.each([...rows, ...tlsRows].map(row => [nameOf(row[0]), row.at(-1)]))('documents the right error for a wrong %s', (name, cell) => {
    const [, code, words] = /^`([^`]+)` "(.+)"$/.exec(cell)
    const options = eval(`({ ${code} })`) // eslint-disable-line no-eval
    const refusal = expect.objectContaining({ code: 'BAD_OPTION', message: expect.stringContaining(words) })
    expect(() => new AerospikeStore(options)).toThrow(refusal)
    // The other store has the same message if it has the option.
    expect(() => new SessionStore(options)).toThrow(expect.objectContaining({ code: 'BAD_OPTION' }))
  })
})

describe('docs/rate-limiting.md', () => {
  const rows = rowsUnder('docs/rate-limiting.md', 'option')
  const places = declared('exports/rate-limit.d.ts', 'RateLimitPlace')
  const CLASSES = { RateLimiter: ['RateLimiterOptions', RateLimiter], Express: ['AerospikeRateLimitStoreOptions', AerospikeRateLimitStore] }
  const of = cell => cell === 'all' ? Object.keys(CLASSES) : cell.split(', ').map(name => name.replaceAll('`', ''))
  const documented = kind => rows.filter(row => of(row[1]).includes(kind)).map(([name]) => nameOf(name))

  test.each(Object.entries(CLASSES))('lists every option of the types of %s, and no others', (kind, [type]) => {
    expect(documented(kind).sort()).toStrictEqual([...declared('exports/rate-limit.d.ts', type), ...places].sort())
  })

  test.each(rows.map(row => [nameOf(row[0]), row]))('documents the right error for a wrong %s', (name, row) => {
    const [, code, words] = /^`([^`]+)` "(.+)"$/.exec(row.at(-1))
    const wrong = eval(`(${code})`) // eslint-disable-line no-eval
    for (const kind of of(row[1])) {
      const required = kind === 'RateLimiter' ? { limit: 1, window: 60 } : {}
      const [, Class] = CLASSES[kind]
      expect(() => new Class({ ...required, ...wrong })).toThrow(expect.objectContaining({ code: 'BAD_OPTION', message: expect.stringContaining(words) }))
    }
  })
})

describe('docs/testing.md', () => {
  const names = rowsUnder('docs/testing.md', 'server option').map(([name]) => /^`([\w.]+)`/.exec(name)[1])

  test('lists every option of a dev server', () => {
    const inside = (option, name) => declared('exports/dev-server.d.ts', name).map(one => `${option}.${one}`)
    const expected = [
      ...declared('exports/dev-server.d.ts', 'DevServerOptions').filter(name => !['security', 'tls'].includes(name)),
      ...inside('security', 'DevServerSecurity'),
      ...inside('tls', 'DevServerTlsOptions')
    ]
    expect([...names].sort()).toStrictEqual(expected.sort())
  })

  test('and no others', () => {
    for (const name of names) {
      const [option, inner] = name.split('.')
      expect(() => devServerOptions({ [option]: inner === undefined ? undefined : { [inner]: undefined } })).not.toThrow()
    }
  })
})
