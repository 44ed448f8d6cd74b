import { FrameworkStoreOptions } from './framework'
import { AerospikeStore } from '../index'

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

export default FastifyStore
