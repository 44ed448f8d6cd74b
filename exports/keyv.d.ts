/// <reference types="node" />
import { EventEmitter } from 'node:events'
import { SessionStore } from '../index'
import { CacheOptions } from './cache'

/** Options of a {@link KeyvAerospike}: those of a cache, or of its connection. Times are in milliseconds. */
export interface KeyvAerospikeOptions extends CacheOptions {
  /** The set of the entries. It must not be the set of the client's sessions. @default 'cache' */
  set?: string | undefined
  /**
   * Store the keys, not only their digests: `iterator()` needs them. With `encryptionKeys` they are encrypted.
   * @default true, or false with `hashIds`
   */
  storeKeys?: boolean | undefined
  /**
   * Operations reject if they fail. Otherwise they emit `error`, and answer as if the cache were empty: `get` returns undefined,
   * `set`, `delete` and `has` return false.
   * @default false
   */
  throwOnErrors?: boolean | undefined
}

/**
 * A storage adapter for Keyv. Create one for each Keyv: Keyv sets its namespace. Adapters with the same `client` share its connection.
 *
 * @example
 * const client = new SessionStore({ hosts: '10.0.0.1:3000' })
 * const cache = new Keyv({ store: new KeyvAerospike({ client }), namespace: 'prices' })
 * await cache.set('apple', 1.2, 60_000)   // for a minute
 * await cache.get('apple')                // 1.2
 */
export class KeyvAerospike extends EventEmitter {
  /** @throws {AerospikeSessionError} `BAD_OPTION` */
  constructor(options?: KeyvAerospikeOptions)

  readonly client: SessionStore
  /** Keyv's namespace, which Keyv sets. It is not Aerospike's. Each namespace has entries of its own. */
  namespace: string | undefined
  /** Read by Keyv. */
  opts: any

  get<Value>(key: string): Promise<Value | undefined>
  /** Reads in one batch for each node. */
  getMany<Value>(keys: string[]): Promise<Array<Value | undefined>>
  /**
   * Stores a value, which must be a string: Keyv encodes values.
   * @param ttl milliseconds. Undefined or 0: the entry does not end.
   * @returns false if it failed
   */
  set(key: string, value: any, ttl?: number): Promise<boolean>
  /**
   * Stores several values, each with its own lifetime.
   * @returns an array of booleans: for each value whether it was stored. (Keyv 5 declares `void` and uses the array.)
   */
  setMany(entries: Array<{ key: string, value: any, ttl?: number | undefined }>): Promise<any>
  /** @returns true if there was an entry */
  delete(key: string): Promise<boolean>
  /** @returns true if there was an entry under any of the keys */
  deleteMany(keys: string[]): Promise<boolean>
  has(key: string): Promise<boolean>
  hasMany(keys: string[]): Promise<boolean[]>
  /** Removes the entries of the namespace, and no others. */
  clear(): Promise<void>
  /** Yields the keys and values of the namespace, in no order. @throws {AerospikeSessionError} `BAD_OPTION` without `storeKeys` */
  iterator<Value>(namespace?: string): AsyncGenerator<[string, Value | undefined], void, unknown>
  /** Closes a client of its own. A shared one stays open. */
  disconnect(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export default KeyvAerospike
