/// <reference types="node" />
import { SessionStore, SessionStoreOptions } from '../index'

/** Where a cache keeps its entries. Unknown names and wrong values are refused with `BAD_OPTION`. */
export interface CacheOptions extends Omit<SessionStoreOptions,
  'set' | 'prefix' | 'bin' | 'ttl' | 'format' | 'storeIds' | 'tombstones' | 'absoluteTtl' | 'touchOnRead' | 'replacer' | 'reviver'> {
  /**
   * A shared client. Closing the cache does not close it. The namespace is that of the client, and its options `encryptionKeys`, `hashIds`
   * and `durableDelete` apply to the cache too, unless it has its own.
   * @default a client of its own, with the other options
   */
  client?: SessionStore | undefined
  /** Separates the entries from those of other applications in the same set. @default '' */
  prefix?: string | undefined
}
