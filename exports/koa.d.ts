import { RenewalOptions, RenewOptions } from '../index'
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

/**
 * Gives the session of a request a new id, from koa-session's `genid`, as `renew()` of the main entry does for Express. For `grace`
 * seconds the old id leads to the same session. Afterwards `ctx.session` is a new object. For a login use `ctx.session.regenerate()` instead.
 *
 * It works with koa-session and a `KoaStore` in its option `store`. koa-generic-session does not tell its store which request a call
 * belongs to.
 *
 * @returns true if this request has a new id now. false if nothing was renewed: the session is not stored, or has ended, or another
 *   request has renewed it.
 * @throws {AerospikeSessionError} `BAD_OPTION` for a wrong option or a store of another kind, `BAD_KEY` if `genid` returns an id that is
 *   in use, otherwise as `set`. The request goes on under the old id.
 * @example
 * router.post('/settings/password', async ctx => {
 *   await changePassword(ctx.session.user, ctx.request.body)
 *   await renew(ctx)
 * })
 */
export function renew(ctx: any, options?: RenewOptions): Promise<boolean>

/**
 * Creates a middleware that renews the id of each session every `every` seconds. Mount it after koa-session. If a renewal fails, the
 * property `store` of the KoaStore emits the warning `RENEWAL_FAILED`, and the request goes on under its id.
 *
 * @throws {AerospikeSessionError} `BAD_OPTION`, at once. `grace` must not be longer than `every`.
 * @example
 * app.use(createSession({ store: new KoaStore() }, app))
 * app.use(renewal({ every: 900, grace: 30 }))
 */
export function renewal(options?: RenewalOptions): (ctx: any, next: () => Promise<any>) => Promise<any>

export default KoaStore
