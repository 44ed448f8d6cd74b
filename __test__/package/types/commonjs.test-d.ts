// Every public signature, with and without a callback, as a CommonJS TypeScript module sees it.

import diagnosticsChannel = require('node:diagnostics_channel')
import express = require('express')
import session = require('express-session')
import api = require('aerospike-session')
import {
  DevServer, DevServerOptions, DevServerTls, DevServerTlsFiles, Fault, FaultInfo, FaultOptions
} from 'aerospike-session/dev-server'
import { MigratingStore } from 'aerospike-session/migrate'
import { traceSessions } from 'aerospike-session/opentelemetry'
import { collectSessions } from 'aerospike-session/prometheus'
import { AerospikeRateLimitStore, RateLimitResult, RateLimiter, RateLimiterOptions, fastifyRateLimitStore } from 'aerospike-session/rate-limit'
import { Store as ExpressRateLimitStore, rateLimit } from 'express-rate-limit'
import { RateLimitPluginOptions } from '@fastify/rate-limit'
import { expectAssignable, expectError, expectNotAssignable, expectType } from 'tsd'
import {
  AerospikeSessionError, AerospikeSessionErrorCode, AerospikeStore, AerospikeStoreOptions, Host, OperationMessage, OperationName,
  LoadedSession, SessionData, SessionOwner, SessionStore, SessionEvent, SessionStoreOptions, SessionStoreWarning, SessionWatch, StoredCookie, StoredSession,
  UserSession, WatchOptions, sessionErrors
} from 'aerospike-session'

declare module 'express-session' {
  interface SessionData {
    user: { id: string, roles: string[] }
    visits: number
  }
}

type Failure = AerospikeSessionError | null
type Done = Failure | undefined

// ---- exports

expectType<typeof AerospikeStore>(api.AerospikeStore)
expectType<typeof AerospikeStore>(api.default)
expectType<typeof SessionStore>(api.SessionStore)
expectType<typeof AerospikeSessionError>(api.AerospikeSessionError)

// ---- SessionStore: options

expectType<SessionStore>(new SessionStore())
expectType<SessionStore>(new SessionStore({}))
expectType<SessionStore>(new SessionStore({ hosts: '10.0.0.1:3000,10.0.0.2:3000' }))
expectType<SessionStore>(new SessionStore({ hosts: { host: 'a', port: 3000, tlsName: 'b' } }))
expectType<SessionStore>(new SessionStore({ hosts: ['a:3000', { host: 'b' }] as const }))
expectType<SessionStore>(new SessionStore({
  hosts: 'a', namespace: 'test', set: 'sessions', bin: 'data', prefix: 'p:', ttl: 60, user: 'u', password: 'p', timeout: 1, connectTimeout: 1, maxConnsPerNode: 1
}))
expectAssignable<SessionStoreOptions>({ ttl: undefined, hosts: undefined })
expectAssignable<Host>({ host: 'a' })
expectNotAssignable<Host>({ port: 3000 })
expectError(new SessionStore({ host: 'a' }))
expectError(new SessionStore({ hosts: 3000 }))
expectError(new SessionStore({ ttl: '60' }))
expectError(new SessionStore({ ttl: () => 60 }))
expectError(new SessionStore({ client: new SessionStore() }))
expectError(new SessionStore('localhost:3000'))

// ---- SessionStore: methods

const sessions = new SessionStore()
expectType<number>(sessions.ttl)
expectError(sessions.ttl = 1)

interface Login { userId: string }

expectType<Promise<void>>(sessions.save('id', { userId: 'u' }))
expectType<Promise<void>>(sessions.save('id', { userId: 'u' }, { ttl: 60 }))
expectType<void>(sessions.save('id', { userId: 'u' }, error => { expectType<Done>(error) }))
expectType<void>(sessions.save('id', { userId: 'u' }, { ttl: 60 }, error => { expectType<Done>(error) }))
expectType<void>(sessions.save('id', { userId: 'u' }, undefined, () => {}))
expectError(sessions.save('id'))
expectError(sessions.save(1, {}))
expectError(sessions.save('id', 'text'))
expectError(sessions.save('id', {}, { ttl: '60' }))
expectError(sessions.save('id', {}, { TTL: 60 }))

expectType<Promise<Record<string, any> | null>>(sessions.get('id'))
expectType<Promise<Login | null>>(sessions.get<Login>('id'))
expectType<void>(sessions.get('id', (error, data) => {
  expectType<Failure>(error)
  expectType<Record<string, any> | null | undefined>(data)
}))
expectType<void>(sessions.get<Login>('id', (error, data) => {
  expectType<Failure>(error)
  expectType<Login | null | undefined>(data)
}))
expectError(sessions.get())
expectError(sessions.get<string>('id'))

expectType<Promise<boolean>>(sessions.touch('id'))
expectType<Promise<boolean>>(sessions.touch('id', { ttl: 60 }))
expectType<void>(sessions.touch('id', (error, existed) => {
  expectType<Failure>(error)
  expectType<boolean | undefined>(existed)
}))
expectType<void>(sessions.touch('id', { ttl: 60 }, (error, existed) => {
  expectType<Failure>(error)
  expectType<boolean | undefined>(existed)
}))
expectType<void>(sessions.touch('id', undefined, () => {}))
expectError(sessions.touch('id', 60))

expectType<Promise<boolean>>(sessions.delete('id'))
expectType<void>(sessions.delete('id', (error, existed) => {
  expectType<Failure>(error)
  expectType<boolean | undefined>(existed)
}))

expectType<Promise<boolean>>(sessions.has('id'))
expectType<void>(sessions.has('id', (error, there) => {
  expectType<Failure>(error)
  expectType<boolean | undefined>(there)
}))

expectType<Promise<void>>(sessions.ready())
expectType<void>(sessions.ready(error => { expectType<Done>(error) }))
expectType<Promise<void>>(sessions.close())
expectType<void>(sessions.close(error => { expectType<Done>(error) }))
expectType<Promise<void>>(sessions[Symbol.asyncDispose]())

expectType<SessionStore>(sessions.on('warning', warning => { expectType<SessionStoreWarning>(warning) }))
expectType<SessionStore>(sessions.once('warning', warning => { expectType<'TTL_REFUSED' | 'NO_USER_INDEX' | 'NODES_UNREACHABLE' | 'UNREADABLE' | 'TOUCH_ON_READ_UNSUPPORTED' | 'LIMIT_NOT_ENFORCED' | 'RENEWAL_FAILED'>(warning.code) }))
expectType<SessionStore>(sessions.on('anything', (...args) => { expectType<any[]>(args) }))
expectAssignable<NodeJS.EventEmitter>(sessions)

// ---- AerospikeStore: options

expectType<AerospikeStore>(new AerospikeStore())
expectType<AerospikeStore>(new AerospikeStore({ hosts: 'a:3000', namespace: 'n', set: 's', bin: 'b', prefix: 'p', ttl: 1 }))
expectType<AerospikeStore>(new AerospikeStore({ client: sessions }))
expectType<AerospikeStore>(new AerospikeStore({ client: sessions, ttl: 60 }))
expectType<AerospikeStore>(new AerospikeStore({
  ttl: (data, sid) => {
    expectType<string>(sid)
    expectType<string[]>(data.user.roles)
    return data.cookie.originalMaxAge === null ? 60 : data.visits
  }
}))
expectAssignable<AerospikeStoreOptions>({ ttl: undefined, client: undefined })
expectError(new AerospikeStore({ client: {} }))
expectError(new AerospikeStore({ ttl: () => 'long' }))
expectError(new AerospikeStore({ tll: 60 }))

// ---- AerospikeStore: methods

const store = new AerospikeStore()
expectType<SessionStore>(store.client)
expectError(store.client = sessions)
expectAssignable<session.Store>(store)

expectType<Promise<LoadedSession | null>>(store.get('sid'))
expectType<void>(store.get('sid', (error, data) => {
  expectType<any>(error)
  expectType<LoadedSession | null | undefined>(data)
  expectType<string | null | undefined>(data?.cookie.expires)
  expectType<number | undefined>(data?.visits)
}))

declare const theirs: (error: any, data?: session.SessionData | null) => void
expectType<void>(store.get('sid', theirs))
expectType<session.SessionData>({} as SessionData)

declare const data: session.SessionData
declare const loaded: LoadedSession
expectType<number>(loaded.visits)
expectType<Promise<void>>(store.set('sid', loaded))
expectType<Promise<void>>(store.touch('sid', loaded))
expectType<Promise<void>>(store.set('sid', data))
expectType<void>(store.set('sid', data, error => { expectType<any>(error) }))
expectError(store.set('sid', {}))
expectError(store.set('sid'))

expectType<Promise<void>>(store.touch('sid', data))
expectType<void>(store.touch('sid', data, error => { expectType<any>(error) }))
expectType<void>(store.touch('sid', data, () => {}))

expectType<Promise<void>>(store.destroy('sid'))
expectType<void>(store.destroy('sid', error => { expectType<any>(error) }))

expectType<Promise<StoredSession[]>>(store.all())
expectType<void>(store.all((error, all) => {
  expectType<any>(error)
  expectType<StoredSession[] | undefined>(all)
}))

async function walk () {
  for await (const one of store.sessions({ batch: 10 })) {
    expectType<string | undefined>(one.id)
    expectType<StoredCookie>(one.cookie)
  }
}
expectType<Promise<void>>(walk())
expectType<Promise<number>>(store.prune())
expectType<Promise<number>>(store.prune({ batch: 10, onProgress: step => { expectType<number>(step.done + step.pruned) } }))
expectError(store.sessions({ size: 1 }))

expectType<Promise<string[]>>(store.ids())
expectType<void>(store.ids((error, ids) => { expectType<Failure>(error); expectType<string[] | undefined>(ids) }))

expectType<Promise<void>>(store.createUserIndex())
expectType<void>(store.createUserIndex(error => { expectType<Done>(error) }))
expectType<Promise<UserSession[]>>(store.sessionsOf('ada'))
expectType<void>(store.sessionsOf(7, (error, found) => { expectType<Failure>(error); expectType<UserSession[] | undefined>(found) }))
store.sessionsOf('ada').then(([session]) => {
  expectType<string>(session.digest)
  expectType<number | undefined>(session.created)
  expectType<number>(session.updated)
})
expectType<Promise<boolean>>(store.destroyByDigest('digest', { of: 'ada' }))
expectType<Promise<boolean>>(store.destroyByDigest('digest'))
expectType<void>(store.destroyByDigest('digest', (error, removed) => { expectType<Failure>(error); expectType<boolean | undefined>(removed) }))
expectType<void>(store.destroyByDigest('digest', { of: 7 }, (error, removed) => { expectType<Failure>(error); expectType<boolean | undefined>(removed) }))
expectError(store.destroyByDigest('digest', {}))
expectError(store.destroyByDigest('digest', { of: undefined }))
expectType<string>(store.digestOf('sid'))
expectType<string>(store.digestOf({ cookie: {} }))
expectError(store.digestOf(5))
expectType<Promise<number>>(store.countOf(7))
expectType<void>(store.countOf('ada', (error, count) => { expectType<Failure>(error); expectType<number | undefined>(count) }))
expectType<Promise<number>>(store.destroyOf('ada', { except: 'sid' }))
expectType<void>(store.destroyOf('ada', (error, count) => { expectType<Failure>(error); expectType<number | undefined>(count) }))
expectType<void>(store.destroyOf('ada', { except: 'sid' }, (error, count) => { expectType<Failure>(error); expectType<number | undefined>(count) }))
expectError(store.destroyOf('ada', { exept: 'sid' }))

expectType<AerospikeStore>(store.on('gone', event => { expectType<SessionEvent>(event) }))
expectType<AerospikeStore>(store.on('evicted', event => { expectType<SessionEvent>(event) }))
expectType<AerospikeStore>(store.once('evicted', event => { expectType<SessionEvent>(event) }))
expectType<AerospikeStore>(store.on('conflict', event => { expectType<string>(event.digest) }))
expectType<AerospikeStore>(store.once('down', () => {}))

expectAssignable<AerospikeStoreOptions>({
  conflict: 'overwrite',
  format: 'json',
  storeIds: true,
  absoluteTtl: 86_400,
  touchAfter: 60,
  touchOnRead: 80,
  tombstones: true,
  whenDown: 'anonymous',
  user: data => data.user?.id,
  auth: { user: 'a', password: 'b' }
})
expectAssignable<AerospikeStoreOptions>({ user: 'passport.user', durableDelete: true })
expectAssignable<AerospikeStoreOptions>({ user: 'id', maxSessionsPerUser: 3 })
expectAssignable<AerospikeStoreOptions>({ user: 'id', maxSessionsPerUser: { limit: 3, evict: 'idle' } })
expectNotAssignable<AerospikeStoreOptions>({ user: 'id', maxSessionsPerUser: { evict: 'idle' } })
expectNotAssignable<AerospikeStoreOptions>({ user: 'id', maxSessionsPerUser: { limit: 3, evict: 'newest' } })
declare const objectId: { toJSON(): string }
expectAssignable<AerospikeStoreOptions>({ user: () => objectId })
expectAssignable<AerospikeStoreOptions>({ user: () => 1n })
expectAssignable<SessionOwner>(new Date())
expectType<Promise<number>>(store.countOf(objectId))
expectNotAssignable<AerospikeStoreOptions>({ user: () => ({ id: 'ada' }) })
expectNotAssignable<SessionOwner>(true)
expectNotAssignable<SessionOwner>(Buffer.alloc(1))
expectError(store.sessionsOf(undefined))
expectNotAssignable<AerospikeStoreOptions>({ conflict: 'last' })
expectNotAssignable<SessionStoreOptions>({ whenDown: 'error' })
expectAssignable<SessionStoreOptions>({ encryptionKeys: [Buffer.alloc(32), new Uint8Array(32), ''] as const, hashIds: '' })
expectAssignable<AerospikeStoreOptions>({ encryptionKeys: [''], hashIds: Buffer.alloc(16) })
expectNotAssignable<SessionStoreOptions>({ encryptionKeys: '' })
expectNotAssignable<SessionStoreOptions>({ encryptionKeys: [1] })
expectNotAssignable<SessionStoreOptions>({ hashIds: true })

expectType<Promise<number>>(store.length())
expectType<void>(store.length((error, length) => {
  expectType<any>(error)
  expectType<number | undefined>(length)
}))

expectType<Promise<void>>(store.clear())
expectType<void>(store.clear(error => { expectType<any>(error) }))

expectType<Promise<void>>(store.ready())
expectType<void>(store.ready(error => { expectType<Done>(error) }))
expectType<Promise<void>>(store.close())
expectType<void>(store.close(error => { expectType<Done>(error) }))
expectType<Promise<void>>(store[Symbol.asyncDispose]())

expectType<AerospikeStore>(store.on('warning', warning => { expectType<SessionStoreWarning>(warning) }))
expectType<AerospikeStore>(store.once('warning', warning => { expectType<string>(warning.message) }))
expectType<AerospikeStore>(store.on('connect', () => {}))

// ---- under Express

const app = express()
app.use(session({ secret: 's', resave: false, saveUninitialized: false, store: new AerospikeStore() }))
app.get('/', (req, res) => {
  expectType<number | undefined>(req.session.visits)
  expectType<string[] | undefined>(req.session.user?.roles)
  req.session.visits = (req.session.visits ?? 0) + 1
  expectError(req.session.visits = 'many')
  res.json(req.session.visits)
})

// ---- errors

declare const error: AerospikeSessionError
expectAssignable<Error>(error)
expectType<'AerospikeSessionError'>(error.name)
expectType<AerospikeSessionErrorCode>(error.code)
expectType<boolean>(error.retryable)
expectType<boolean>(error.inDoubt)
expectType<number | undefined>(error.resultCode)
expectType<unknown>(error.cause)
expectError(error.code = 'TIMEOUT')
// @ts-expect-error: only the package creates errors
expectAssignable<Error>(new AerospikeSessionError())
expectAssignable<AerospikeSessionErrorCode>('UNAVAILABLE')
expectNotAssignable<AerospikeSessionErrorCode>('NOT_FOUND')

// ---- DevServer

expectType<Promise<DevServer>>(DevServer.start())
expectType<Promise<DevServer>>(DevServer.start({ host: '127.0.0.1', port: 0, data: 'file' }))
expectAssignable<DevServerOptions>({ data: undefined })
expectError(DevServer.start({ port: '3000' }))
DevServer.start().then(({ warnings }) => expectType<readonly string[]>(warnings))
// @ts-expect-error: there is DevServer.start
expectAssignable<object>(new DevServer())
expectAssignable<DevServerOptions>({
  security: { users: { ada: 'secret', bob: { password: 'secret', roles: ['read'] } }, sessionTtl: 60 }, tls: { mutual: true, names: ['a'] }
})
expectError(DevServer.start({ security: { users: { ada: 1 } } }))
declare const server: DevServer
expectType<Readonly<DevServerTls> | undefined>(server.tls)
expectAssignable<SessionStoreOptions>({ tls: server.tls })
expectAssignable<SessionStoreOptions>({ tls: { ca: [Buffer.alloc(0), ''], cert: '', key: Buffer.alloc(0), servername: '' } })
expectAssignable<SessionStoreOptions>({ tls: true })
expectType<Promise<DevServerTlsFiles>>(server.writeTlsFiles('dir'))
expectType<Promise<void>>(server.setPassword('ada', 'other'))
expectType<Promise<void>>(server.expireSessions({ disconnect: true }))
expectType<string>(server.hosts)
expectType<number>(server.port)
expectType<Promise<Fault>>(server.inject({ kind: 'latency', ms: 20, jitter: 5, on: 'write', times: 3, probability: 0.5, node: 1 }))
expectType<Promise<Fault>>(server.inject({ kind: 'drop', when: 'midReply', on: ['read', 'write'], lasts: 1_000 }))
expectType<Promise<Fault>>(server.inject({ kind: 'code', code: 'KEY_BUSY', when: 'after', key: 'sid', set: 'sessions' }))
expectType<Promise<Fault>>(server.inject({ kind: 'overload', seed: 1 }))
expectType<Promise<Fault>>(server.inject({ kind: 'refuse', node: 0 }))
expectError(server.inject({ kind: 'fire' }))
expectError(server.inject({ kind: 'latency' }))
expectError(server.inject({ kind: 'code' }))
expectError(server.inject({ kind: 'code', code: 9, on: 'info' }))
expectError(server.inject({ kind: 'code', code: 9, when: 'midReply' }))
expectError(server.inject({ kind: 'drop', ms: 20 }))
expectError(server.inject({ kind: 'freeze', times: 1 }))
expectType<Promise<FaultInfo[]>>(server.faults())
expectType<Promise<void>>(server.clearFaults())
expectType<Promise<Fault>>(server.freeze())
expectType<Promise<void>>(server.thaw(1))
expectType<Promise<void>>(server.configure('test', { nsupPeriod: 0, allowTtlWithoutNsup: true, defaultTtl: 1, maxRecordSize: 64, defaultReadTouchTtlPct: 80 }))
expectError(server.configure('test', { nsup: 0 }))
declare const fault: Fault
expectType<number>(fault.id)
expectType<Promise<number>>(fault.struck())
expectType<Promise<number>>(fault.struck(2))
expectType<Promise<number>>(fault.remove())
expectAssignable<FaultOptions>({ kind: 'silent', on: 'any' })
declare const listed: FaultInfo
expectType<number>(listed.struck)
expectType<boolean>(listed.isOver)
expectType<number | null>(listed.seed)
expectType<Promise<void>>(server.stop())
expectType<Promise<void>>(server[Symbol.asyncDispose]())

// How to connect.
expectType<SessionStore>(new SessionStore({ auth: { user: 'u', password: 'p' }, authMode: 'external', tls: true }))
expectType<SessionStore>(new SessionStore({ auth: () => ({ user: 'u', password: 'p' }) }))
expectType<AerospikeStore>(new AerospikeStore({ auth: async () => ({ user: 'u', password: 'p' }) }))
expectType<SessionStore>(new SessionStore({ authMode: 'pki', tls: { ca: '/ca.pem', cert: Buffer.of(), key: '/key.pem', servername: 'db', pins: ['sha256/'] } }))
expectType<SessionStore>(new SessionStore({ clusterName: 'c', servicesAlternate: true, rackIds: 1 }))
expectType<SessionStore>(new SessionStore({ rackIds: [1, 2] }))
expectError(new SessionStore({ auth: () => 'p' }))
expectError(new SessionStore({ authMode: 'ldap' }))
expectError(new SessionStore({ rackIds: '1' }))
expectError(new SessionStore({ tls: { pins: 'sha256/' } }))

// ---- messages on diagnostics channels

diagnosticsChannel.tracingChannel<unknown, OperationMessage>('aerospike-session:get').subscribe({
  start (message) { expectType<OperationName>(message.operation) },
  end (message) { expectType<string>(message.namespace + message.set) },
  asyncStart (message) {
    expectType<'ok' | 'hit' | 'miss' | 'gone' | 'conflict' | 'error' | undefined>(message.outcome)
    expectType<number | undefined>(message.duration)
    expectType<string | undefined>(message.node)
    expectType<number | undefined>(message.batch)
  },
  asyncEnd () {},
  error (message) { expectType<AerospikeSessionErrorCode | undefined>(message.error?.code) }
})
expectAssignable<OperationName>('destroyOf')
expectNotAssignable<OperationName>('close')

// ---- watching

const watch: SessionWatch = new AerospikeStore({ watchInterval: 0.5 }).watch('a', { touch: true })
expectType<AbortSignal>(watch.signal)
expectType<void>(watch.stop())
expectType<void>(watch[Symbol.dispose]())
expectAssignable<WatchOptions>({ touch: undefined })
expectError(new AerospikeStore().watch('a', { tuch: true }))
expectError(new AerospikeStore().watch())
expectError(new SessionStore({ watchInterval: 5 }))

expectType<number>(sessions.stats().latency.sum)

// ---- integrations

expectType<Promise<any>>(new MigratingStore({ from: {}, to: new AerospikeStore(), at: new Date() }).get('id'))
expectError(new MigratingStore({ from: {}, to: sessions, at: new Date() }))
expectType<void>(collectSessions(sessions))
expectType<void>(collectSessions(new AerospikeStore(), {}))
expectType<() => void>(traceSessions())
sessionErrors({ log: error => { expectType<AerospikeSessionErrorCode>(error.code) } })
expectError(sessionErrors({ status: 500 }))

// ---- rate limits

const limiter = new RateLimiter({ client: sessions, limit: 5, window: 60, type: 'sliding', onError: 'deny', prefix: 'a:', set: 'limits' })
expectType<Promise<RateLimitResult>>(limiter.consume('ada'))
expectType<Promise<RateLimitResult>>(limiter.consume('ada', 2))
expectType<void>(limiter.consume('ada', (error, result) => { expectType<Failure>(error); expectType<RateLimitResult | undefined>(result) }))
expectType<void>(limiter.consume('ada', 2, () => {}))
expectType<Promise<RateLimitResult>>(limiter.peek('ada'))
expectType<Promise<boolean>>(limiter.reset('ada'))
expectType<SessionStore>(limiter.client)
expectType<Promise<void>>(limiter.close())
expectAssignable<RateLimiterOptions>({ hosts: 'localhost', hashIds: 'a secret of some length', limit: 1, window: 0.5 })
expectError(new RateLimiter({ client: sessions, limit: 5 }))
expectError(new RateLimiter({ client: new AerospikeStore(), limit: 5, window: 60 }))
expectError(new RateLimiter({ limit: 5, window: 60, ttl: 60 }))
expectError(new RateLimiter({ limit: 5, window: 60, type: 'rolling' }))
expectAssignable<ExpressRateLimitStore>(new AerospikeRateLimitStore({ client: sessions }))
rateLimit({ store: new AerospikeRateLimitStore({ type: 'sliding' }) })
expectError(new AerospikeRateLimitStore({ limit: 5 }))
expectAssignable<RateLimitPluginOptions['store']>(fastifyRateLimitStore({ client: sessions }))
expectError(fastifyRateLimitStore({ type: 'fixed' }))
