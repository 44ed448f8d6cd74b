// The cache and the secondary storage, as Keyv and better-auth see them.

import { Keyv, KeyvStoreAdapter } from 'keyv'
import { Keyv as Keyv6 } from 'keyv6'
import { SessionStore } from 'aerospike-session'
import { KeyvAerospike, KeyvAerospikeOptions } from 'aerospike-session/keyv'
import { SecondaryStorage, secondaryStorage, SecondaryStorageOptions } from 'aerospike-session/better-auth'
import { expectAssignable, expectError, expectType } from 'tsd'

const client = new SessionStore()

const store = new KeyvAerospike({ client, set: 'cache', prefix: 'shop', storeKeys: true, throwOnErrors: false })
expectAssignable<KeyvStoreAdapter>(store)
expectType<Promise<string | undefined>>(new Keyv<string>({ store, namespace: 'a' }).get('a'))
expectType<Promise<string | undefined>>(new Keyv6<string>({ store, namespace: 'a' }).get<string>('a'))
expectType<Promise<boolean>>(store.set('a', 'b', 1_000))
expectType<Promise<any>>(store.setMany([{ key: 'a', value: 'b' }, { key: 'c', value: 'd', ttl: 5 }]))
expectType<Promise<void>>(store[Symbol.asyncDispose]())
expectType<SessionStore>(store.client)
expectAssignable<KeyvAerospikeOptions>({ hosts: 'a:3000', namespace: 'test', timeout: 200, encryptionKeys: ['a'] })
expectError(new KeyvAerospike({ ttl: 5 }))
expectError(new KeyvAerospike({ client: {} }))

/** What better-auth 1.7 takes (`SecondaryStorage` of @better-auth/core). */
type Awaitable<T> = T | Promise<T>
interface Wanted {
  get: (key: string) => Awaitable<unknown>
  getAndDelete: (key: string) => Awaitable<unknown>
  increment: (key: string, ttl: number) => Awaitable<number>
  set: (key: string, value: string, ttl?: number | undefined) => Awaitable<void | null | unknown>
  delete: (key: string) => Awaitable<void | null | string>
}

const storage = secondaryStorage({ client })
expectType<SecondaryStorage>(storage)
expectAssignable<Wanted>(storage)
expectAssignable<SecondaryStorageOptions>({ hosts: 'a:3000', set: 'auth', hashIds: 'a secret of 16 bytes' })
expectError(secondaryStorage({ storeKeys: true }))
