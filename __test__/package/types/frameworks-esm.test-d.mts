// The frameworks' stores as an ES module sees them.

import FastifyStore, { FastifyStore as NamedFastifyStore } from 'aerospike-session/fastify'
import HonoStore, { HonoStore as NamedHonoStore } from 'aerospike-session/hono'
import KoaStore, { KoaStore as NamedKoaStore } from 'aerospike-session/koa'
import ReactRouterStore, { ReactRouterStore as NamedReactRouterStore } from 'aerospike-session/react-router'
import { expectType } from 'tsd'

expectType<typeof NamedFastifyStore>(FastifyStore)
expectType<typeof NamedHonoStore>(HonoStore)
expectType<typeof NamedKoaStore>(KoaStore)
expectType<typeof NamedReactRouterStore>(ReactRouterStore)
