'use strict'

// The tarball in TypeScript and package checkers: compiled in strict mode with every kind of module resolution, publint and
// arethetypeswrong.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { Consumer, ROOT, bareMachine, tarballs } = require('../support/tarballs')

let folder, packed
/** @type {Consumer} */
let app

beforeAll(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'aerospike-session-'))
  packed = tarballs(folder)
  app = new Consumer(path.join(folder, 'app'), bareMachine(path.join(folder, 'bin')))
  await app.install(packed.main, packed.binary)
  app.add('express', 'express-session', '@types/express', '@types/express-session', '@types/node')
}, 120_000)

afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

/** Uses the entry points. If types are lost, a `@ts-expect-error` is unused and fails. */
const PROGRAM = `
import session from 'express-session'
import express from 'express'
import AerospikeStore, { AerospikeStore as Named, AerospikeSessionError, SessionStore } from 'aerospike-session'
import DevServer, { DevServer as NamedServer } from 'aerospike-session/dev-server'

async function main (): Promise<void> {
  const server: NamedServer = await DevServer.start()
  const store: Named = new AerospikeStore({ hosts: server.hosts, ttl: 60 })
  express().use(session({ store, secret: 'a secret', resave: false, saveUninitialized: false }))
  try {
    // @ts-expect-error: a misspelt option
    const misspelt = new AerospikeStore({ tll: 60 })
    misspelt.close()
  } catch (error) {
    console.log(error instanceof AerospikeSessionError && error.code)
  }
  const sessions = new SessionStore({ hosts: server.hosts })
  await sessions.save('one', { user: 'Ada' })
  const found: Record<string, unknown> | null = await sessions.get('one')
  // @ts-expect-error: a number
  const length: string = await store.length()
  console.log(found, length)
  await Promise.all([sessions.close(), store.close(), server.stop()])
}

main()
`
const PRINTED = "BAD_OPTION\n{ user: 'Ada' } 1\n"

/** @type {[name: string, options: object, source: string, program: string | undefined][]} */
const CONFIGURATIONS = [
  ['node16, as an ES module', { module: 'node16', moduleResolution: 'node16' }, 'program.mts', 'program.mjs'],
  ['node16, as CommonJS', { module: 'node16', moduleResolution: 'node16' }, 'program.cts', 'program.cjs'],
  ['bundler', { module: 'esnext', moduleResolution: 'bundler' }, 'program.mts', 'program.mjs'],
  ['commonjs', { module: 'commonjs', moduleResolution: 'node10', esModuleInterop: true }, 'program.ts', 'program.js']
]

test.each(CONFIGURATIONS)('strict TypeScript compiles and runs: %s', async (name, options, source, program) => {
  const project = name.replaceAll(/\W+/g, '-')
  fs.mkdirSync(app.path(project))
  app.write(`${project}/${source}`, PROGRAM)
  app.write(`${project}/tsconfig.json`, JSON.stringify({
    compilerOptions: {
      ...options,
      strict: true,
      skipLibCheck: false,
      target: 'es2022',
      lib: ['es2022', 'esnext.disposable'],
      types: ['node'],
      typeRoots: [app.path('node_modules/@types')],
      noUnusedLocals: true
    },
    include: [source]
  }))
  const tsc = require.resolve('typescript/bin/tsc')
  expect(await app.run([tsc, '--project', project]).catch(({ stdout, stderr }) => ({ stdout, stderr }))).toEqual({ stdout: '', stderr: '' })
  expect(await app.run([`${project}/${program}`])).toStrictEqual({ stdout: PRINTED, stderr: '' })
}, 120_000)

describe('passes the package checkers:', () => {
  /** Runs a program of this repository's dependencies on a tarball and returns its output. */
  const runChecker = (program, ...args) => {
    const run = app.run([path.join(ROOT, 'node_modules', program), ...args], { NO_COLOR: '1' })
    return run.then(({ stdout }) => stdout, ({ stdout, stderr }) => stdout + stderr)
  }

  test('publint', async () => {
    expect(await runChecker('publint/src/cli.js', 'run', packed.main, '--strict')).toMatch(/\nAll good!\s*$/)
    expect(await runChecker('publint/src/cli.js', 'run', packed.binary, '--strict', '--level', 'warning')).toMatch(/\nAll good!\s*$/)
  }, 60_000)

  test('arethetypeswrong', async () => {
    expect(await runChecker('@arethetypeswrong/cli/dist/index.js', packed.main, '--no-emoji')).toContain('No problems found')
  }, 60_000)
})
