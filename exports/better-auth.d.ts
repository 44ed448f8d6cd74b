/// <reference types="node" />
import { SessionStore } from '../index'
import { CacheOptions } from './cache'

/** Options of {@link secondaryStorage}: those of a cache, or of its connection. */
export interface SecondaryStorageOptions extends CacheOptions {
  /** The set of the records. It must not be the set of the client's sessions. @default 'better-auth' */
  set?: string | undefined
}

/** What better-auth takes as `secondaryStorage`. */
export interface SecondaryStorage {
  readonly client: SessionStore
  get(key: string): Promise<string | null>
  /** Returns a value and removes it. Of several calls at once, one gets the value. */
  getAndDelete(key: string): Promise<string | null>
  /**
   * Adds 1 to a counter and returns its value. A counter begins with 1, and ends `ttl` **seconds** after that.
   *
   * It never counts too little. If an answer of the cluster is lost and others count meanwhile, it may count one too many.
   */
  increment(key: string, ttl: number): Promise<number>
  /** @param ttl **seconds**. Without it, the value does not end. */
  set(key: string, value: string, ttl?: number): Promise<void>
  delete(key: string): Promise<void>
  /** Closes a client of its own. A shared one stays open. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Returns a secondary storage for better-auth: its sessions, verification values and counters of rate limits. Every operation rejects
 * with an {@link AerospikeSessionError} if it fails.
 *
 * @example
 * const client = new SessionStore({ hosts: '10.0.0.1:3000' })
 * const auth = betterAuth({
 *   database,
 *   secondaryStorage: secondaryStorage({ client }),
 *   rateLimit: { enabled: true, storage: 'secondary-storage' }
 * })
 *
 * @throws {AerospikeSessionError} `BAD_OPTION`
 */
export function secondaryStorage(options?: SecondaryStorageOptions): SecondaryStorage

export default secondaryStorage
