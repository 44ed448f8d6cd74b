import { FrameworkStoreOptions } from './framework'
import { AerospikeStore, RenewalOptions, RenewOptions } from '../index'

export type FastifyStoreOptions = FrameworkStoreOptions

/**
 * The store for @fastify/session: `app.register(session, { secret, store: new FastifyStore() })`.
 *
 * An {@link AerospikeStore} whose sets know what a session was loaded as, though Fastify copies it. For that a session
 * has one more key, `'@aerospike-session'`, which is in no JSON. Sessions are not typed: what Fastify knows of them
 * (`FastifySessionObject`) may contradict what express-session knows (`SessionData`).
 */
export class FastifyStore extends AerospikeStore {
  /** @throws {AerospikeSessionError} `BAD_OPTION`, at once and in words */
  constructor(options?: FastifyStoreOptions)

  get(sid: string): Promise<any>
  get(sid: string, callback: (error: any, session?: any) => void): void

  set(sid: string, session: any): Promise<void>
  set(sid: string, session: any, callback?: (error?: any) => void): void

  touch(sid: string, session: any): Promise<void>
  touch(sid: string, session: any, callback?: (error?: any) => void): void
}

/**
 * Gives the session of a request a new id, from the plugin's `idGenerator`, as `renew()` of the main entry does for Express. For `grace`
 * seconds the old id leads to the same session. Afterwards `request.session` is a new object. For a login use
 * `request.session.regenerate()` instead.
 *
 * Register the plugin {@link renewal}, too: it keeps cookies with old ids out of responses.
 *
 * @returns true if this request has a new id now. false if nothing was renewed: the session is not stored, or has ended, or another
 *   request has renewed it.
 * @throws {AerospikeSessionError} `BAD_OPTION` for a wrong option or a store of another kind, otherwise as `set`. The request goes on
 *   under the old id.
 * @example
 * app.post('/settings/password', async request => {
 *   await changePassword(request.session.user, request.body)
 *   return { renewed: await renew(request) }
 * })
 */
export function renew(request: any, options?: RenewOptions): Promise<boolean>

/**
 * A Fastify plugin that renews the id of each session every `every` seconds. Register it after @fastify/session. If a renewal fails, the
 * store emits the warning `RENEWAL_FAILED`, and the request goes on under its id. Wrong options fail the registration with `BAD_OPTION`.
 *
 * @example
 * app.register(session, { secret, store: new FastifyStore() })
 * app.register(renewal, { every: 900, grace: 30 })
 */
export function renewal(fastify: any, options: RenewalOptions, done: (error?: Error) => void): void

export default FastifyStore
