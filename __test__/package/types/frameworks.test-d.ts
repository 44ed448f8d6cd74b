// The frameworks' stores, as they and their users' code see them.

import { CookieOptions, createSessionStorage, SessionStorage } from 'react-router'
import fastifySession = require('@fastify/session')
import { sessionMiddleware } from 'hono-sessions'
import { createSession } from 'koa-session'
import { AerospikeStore, SessionStore } from 'aerospike-session'
import { FastifyStore, FastifyStoreOptions, renew as renewFastify, renewal as fastifyRenewal } from 'aerospike-session/fastify'
import { HonoSessionData, HonoStore, HonoStoreOptions } from 'aerospike-session/hono'
import { KoaStore, KoaStoreOptions, renew as renewKoa, renewal as koaRenewal } from 'aerospike-session/koa'
import { ReactRouterStore, ReactRouterStoreOptions } from 'aerospike-session/react-router'
import { expectAssignable, expectError, expectType } from 'tsd'

const client = new SessionStore()

// ---- what all have

const options = {
  client, prefix: 'p:', ttl: (data: any, id: string) => data.long ? 60 : id.length, user: (data: any) => data.user
}
expectAssignable<KoaStoreOptions>(options)
expectAssignable<HonoStoreOptions>(options)
expectAssignable<ReactRouterStoreOptions>(options)
expectAssignable<FastifyStoreOptions>(options)
expectError(new KoaStore({ whenDown: 'anonymous' }))
expectError(new FastifyStore({ whenDown: 'anonymous' }))
expectError(new HonoStore({ ttl: '60' }))

for (const store of [new KoaStore(), new HonoStore({ ttl: 60 }), new ReactRouterStore({ user: 'user.id' })]) {
  expectType<AerospikeStore>(store.store)
  expectError(store.store = new AerospikeStore())
  expectType<Promise<void>>(store.ready())
  expectType<void>(store.ready(() => {}))
  expectType<Promise<void>>(store.close())
  expectType<Promise<void>>(store[Symbol.asyncDispose]())
}

// ---- renewals

expectType<Promise<boolean>>(renewFastify({}))
expectType<Promise<boolean>>(renewKoa({}, { grace: 30 }))
expectError(renewKoa({}, { every: 30 }))
expectType<void>(fastifyRenewal({}, { every: 900, grace: 30 }, () => {}))
expectType<Promise<any>>(koaRenewal({ every: 900 })({}, async () => {}))
expectError(koaRenewal({ evry: 900 }))

// ---- Koa

const koa = new KoaStore()
createSession({ store: koa, maxAge: 'session' }, {})
expectType<Promise<Record<string, any> | null>>(koa.get('key'))
expectType<Promise<Record<string, any> | null>>(koa.get('key', 5, { rolling: true, ctx: {} }))
expectType<Promise<void>>(koa.set('key', { a: 1 }, 'session', { rolling: true, changed: true, ctx: {} }))
expectType<Promise<void>>(koa.set('key', { a: 1 }))
expectType<Promise<void>>(koa.destroy('key', { ctx: {} }))
expectError(koa.set('key', 'text'))
expectError(koa.set('key', {}, 'long'))

// ---- Hono

const hono = new HonoStore()
sessionMiddleware({ store: hono })
expectType<Promise<HonoSessionData | null>>(hono.getSessionById())
expectType<Promise<void>>(hono.createSession('id', { _data: {}, _expire: null, _delete: false, _accessed: null }))
expectType<Promise<void>>(hono.deleteSession('id'))
expectError(hono.persistSessionData('id', {}))

// ---- React Router

interface Data { user: string }
interface Flash { news: string }

const router = new ReactRouterStore()
const cookie: CookieOptions & { name: string } = { name: 'sid' }
expectType<SessionStorage<Data, Flash>>(router.guard(createSessionStorage<Data, Flash>({ cookie, ...router })))
expectType<Promise<string>>(router.createData({ a: 1 }, new Date()))
expectType<Promise<any>>(router.readData('id'))
expectType<Promise<void>>(router.updateData('id', { a: 1 }))
expectType<Promise<void>>(router.deleteData('id'))
expectError(router.guard({}))

// ---- Fastify

expectAssignable<AerospikeStore>(new FastifyStore())
expectAssignable<fastifySession.FastifySessionOptions>({ secret: 's', store: new FastifyStore() })
expectAssignable<fastifySession.FastifySessionOptions>({ secret: 's', store: new AerospikeStore() })
