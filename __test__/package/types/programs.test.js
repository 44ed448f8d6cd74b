'use strict'

// The types with and without the types of other packages: programs compiled in strict mode in their own folder.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const ts = require('typescript')

const ROOT = path.join(__dirname, '../../..')
const NODE_MODULES = fs.realpathSync(path.join(ROOT, 'node_modules'))

/** @type {string[]} */
const folders = []
afterAll(() => {
  for (const folder of folders) fs.rmSync(folder, { recursive: true, force: true })
})

/** Creates a folder with this package's types and other packages. */
function project (packages) {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'aerospike-session-')))
  folders.push(folder)
  const own = path.join(folder, 'node_modules/aerospike-session')
  fs.mkdirSync(own, { recursive: true })
  // Copies, so that their imports are resolved in this folder.
  for (const folder of ['.', 'exports']) {
    fs.mkdirSync(path.join(own, folder), { recursive: true })
    const files = fs.readdirSync(path.join(ROOT, folder)).filter(name => /\.d\.m?ts$|^package\.json$/.test(name))
    for (const file of files) fs.copyFileSync(path.join(ROOT, folder, file), path.join(own, folder, file))
  }
  for (const name of ['@types/node', ...packages]) {
    const place = path.join(folder, 'node_modules', name)
    fs.mkdirSync(path.dirname(place), { recursive: true })
    fs.symlinkSync(path.join(NODE_MODULES, name), place, 'junction')
  }
  return folder
}

const { ModuleKind, ModuleResolutionKind } = ts
/** @type {Record<string, [object, string]>} */
const RESOLUTIONS = {
  'node16, CommonJS': [{ module: ModuleKind.Node16, moduleResolution: ModuleResolutionKind.Node16 }, 'program.cts'],
  'node16, ES modules': [{ module: ModuleKind.Node16, moduleResolution: ModuleResolutionKind.Node16 }, 'program.mts'],
  bundler: [{ module: ModuleKind.ESNext, moduleResolution: ModuleResolutionKind.Bundler }, 'program.ts']
}

/** Returns TypeScript's errors for a program. */
function typeErrors (folder, source, options, name = 'program.cts') {
  const file = path.join(folder, name)
  fs.writeFileSync(file, source)
  const program = ts.createProgram([file], {
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2022.d.ts', 'lib.esnext.disposable.d.ts'],
    types: ['node'],
    typeRoots: [path.join(folder, 'node_modules/@types')],
    ...options
  })
  return ts.getPreEmitDiagnostics(program).map(({ file, start, messageText }) => {
    const line = file === undefined ? '' : `${path.basename(file.fileName)}:${file.getLineAndCharacterOfPosition(start).line + 1}: `
    return line + ts.flattenDiagnosticMessageText(messageText, ' ')
  })
}

/** Uses each entry point. If a type is lost, a `@ts-expect-error` is unused and fails. */
const ALONE = `
import { AerospikeStore, SessionData, StoredSession } from 'aerospike-session'
import { FastifyStore } from 'aerospike-session/fastify'
import { HonoStore } from 'aerospike-session/hono'
import { KoaStore } from 'aerospike-session/koa'
import { ReactRouterStore } from 'aerospike-session/react-router'
import { DevServer } from 'aerospike-session/dev-server'

export async function main (server: DevServer): Promise<void> {
  const store = new AerospikeStore({ hosts: server.hosts, ttl: session => session.cookie.originalMaxAge ?? 60, user: session => session.user })
  store.on('gone', event => console.log(event.digest.length)).once('up', () => {})
  const emitter: NodeJS.EventEmitter = store.setMaxListeners(20)
  // @ts-expect-error: no number
  store.setMaxListeners('many')
  // @ts-expect-error: no method of a store or an event emitter
  store.forget()
  const session = await store.get('id')
  const end: string | null | undefined = session?.cookie.expires
  // @ts-expect-error: JSON has no dates
  const date: Date | null | undefined = session?.cookie.expires
  store.get('id', (error, session) => console.log(error, session?.cookie.expires?.slice(0, 4)))
  const data: SessionData = { cookie: { originalMaxAge: null, expires: new Date() }, user: 'ada' }
  await store.set('id', data)
  if (session !== null) await Promise.all([store.set('id', session), store.touch('id', session)])
  const all: StoredSession[] = await store.all()
  const ends: (string | null)[] = all.map(one => one.cookie.expires)
  await new KoaStore({ user: data => data.user }).store.destroyOf('ada')
  new HonoStore().store.on('conflict', event => event.digest)
  new ReactRouterStore().store.emit('anything')
  const fastify = await new FastifyStore().get('id')
  console.log(end, date, ends, emitter, fastify.user)
}
`

describe.each([['checked', false], ['skipped', true]])('with the types of libraries %s', (_, skipLibCheck) => {
  test.each(Object.entries(RESOLUTIONS))('programs compile without the types of express-session (%s)', (_, [options, name]) => {
    expect(typeErrors(project([]), ALONE, { ...options, skipLibCheck }, name)).toStrictEqual([])
  }, 60_000)

  test.each(Object.entries(RESOLUTIONS))('programs compile with them, and keep the keys of an application that extends them (%s)', (_, [options, name]) => {
    const folder = project(['@types/express', '@types/express-session', '@types/express-serve-static-core', '@types/serve-static', '@types/qs'])
    const program = `
      import * as theirs from 'express-session'
      ${ALONE}
      declare module 'express-session' { interface SessionData { user: string, visits: number } }
      declare const theirStore: theirs.Store
      export async function typed (store: AerospikeStore): Promise<void> {
        const options: theirs.SessionOptions = { secret: 'a secret', store }
        const same: typeof theirStore = store
        const user: string | undefined = (await store.get('id'))?.user
        // @ts-expect-error: a number
        const visits: string | undefined = (await store.get('id'))?.visits
        // @ts-expect-error: no such key
        await store.get('id').then(session => session?.basket)
        console.log(options, same, user, visits)
      }
    `.replace("user: 'ada' }", "user: 'ada', visits: 1 }").replace('expires: new Date() }', 'expires: new Date() } as theirs.Cookie')
    // The types of express-session do not support this option.
    expect(typeErrors(folder, program, { ...options, skipLibCheck, exactOptionalPropertyTypes: false }, name)).toStrictEqual([])
  }, 60_000)
})

test('a FastifyStore fits if the session types of Fastify and express-session contradict each other', () => {
  const folder = project(['@types/express-session', '@types/express', 'fastify', '@fastify/session', '@fastify/cookie'])
  const program = `
    import session = require('@fastify/session')
    import { FastifyStore } from 'aerospike-session/fastify'
    import 'express-session'
    import 'fastify'
    declare module 'express-session' { interface SessionData { user: number, roles: string[] } }
    declare module 'fastify' { interface Session { user: string, visits: number } }
    const store = new FastifyStore({ user: session => session.user, ttl: (session, id) => session.visits ?? id.length })
    const options: session.FastifySessionOptions = { secret: 'a secret', store }
    const theirs: session.SessionStore = store
    store.get('id').then(session => store.set('id', session))
    console.log(options, theirs)
  `
  expect(typeErrors(folder, program, { ...RESOLUTIONS['node16, CommonJS'][0], skipLibCheck: true })).toStrictEqual([])
}, 60_000)
