// The same package as an ES module sees it.

import express from 'express'
import session from 'express-session'
import AerospikeStore, {
  AerospikeSessionError, AerospikeStore as NamedStore, SessionStore, type AerospikeSessionErrorCode, type AerospikeStoreOptions,
  type Callback, type DoneCallback, type Host, type LoadedSession, type SessionStoreOptions, type SessionStoreWarning, type StoredSession, type TtlOptions
} from 'aerospike-session'
import DevServer, { DevServer as NamedServer, type DevServerOptions } from 'aerospike-session/dev-server'
import { expectAssignable, expectType } from 'tsd'

expectType<typeof NamedStore>(AerospikeStore)
expectType<typeof NamedServer>(DevServer)

const sessions = new SessionStore({ hosts: [{ host: '::1', port: 3000 }] })
const options: AerospikeStoreOptions = { client: sessions, ttl: (data, sid) => data.cookie.maxAge ?? sid.length }
const store = new AerospikeStore(options)
expectType<NamedStore>(store)
expectType<SessionStore>(store.client)
express().use(session({ secret: 's', resave: false, saveUninitialized: false, store }))

await sessions.save('id', { n: 1 }, { ttl: 60 } satisfies TtlOptions)
const found = await sessions.get<{ n: number }>('id')
expectType<{ n: number } | null>(found)
expectType<boolean>(await sessions.touch('id'))
expectType<boolean>(await sessions.delete('id'))
expectType<boolean>(await sessions.has('id'))
expectType<LoadedSession | null>(await store.get('sid'))
expectType<StoredSession[]>(await store.all())
expectType<number>(await store.length())

const done: DoneCallback = error => { expectType<AerospikeSessionErrorCode | undefined>(error?.code) }
const got: Callback<boolean> = (error, value) => {
  expectType<AerospikeSessionError | null>(error)
  expectType<boolean | undefined>(value)
}
expectType<void>(sessions.save('id', {}, done))
expectType<void>(sessions.has('id', got))

try {
  await sessions.ready()
} catch (error) {
  if (error instanceof AerospikeSessionError) expectType<boolean>(error.retryable)
}

expectAssignable<SessionStoreOptions>({ hosts: ['a', { host: 'b' }] satisfies Array<string | Host> })
store.on('warning', (warning: SessionStoreWarning) => warning.message)

const serverOptions: DevServerOptions = { port: 0, nodes: 3, replicationFactor: 2, heartbeatTimeout: 500, migrationTime: 100 }
{
  await using server = await DevServer.start(serverOptions)
  await server.stopNode(1)
  await server.startNode(1)
  await server.settled()
  expectType<boolean>((await server.nodes())[0].isRunning)
  await using open = new SessionStore({ hosts: server.hosts })
  expectType<void>(await open.ready())
}
