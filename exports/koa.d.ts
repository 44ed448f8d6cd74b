import { FrameworkStore, FrameworkStoreOptions } from './framework'

export type KoaStoreOptions = FrameworkStoreOptions

/**
 * The store for koa-session: `session({ store: new KoaStore() }, app)`; also for koa-generic-session.
 *
 * A set of a session that was loaded by the same request writes only what changed, and only if the session is still
 * there: the request is told by `ctx`, or, without it, by `data` being the object that `get` returned.
 */
export class KoaStore extends FrameworkStore {
  constructor(options?: KoaStoreOptions)

  /** The data, or `null` for a session that does not exist or has ended. `maxAge` changes nothing. */
  get(key: string, maxAge?: number | 'session', options?: { rolling?: boolean | undefined, ctx?: any }): Promise<Record<string, any> | null>

  /**
   * Stores a session for `maxAge` **milliseconds**; for `ttl` if that is `'session'`, 0 or absent. Less than 0 removes
   * the session. A loaded one that is gone meanwhile is not brought back: `store` emits `gone`.
   */
  set(
    key: string, data: object, maxAge?: number | 'session', options?: { rolling?: boolean | undefined, changed?: boolean | undefined, ctx?: any }
  ): Promise<void>

  /** Removes a session; no error if there is none. */
  destroy(key: string, options?: { ctx?: any }): Promise<void>
}

export default KoaStore
