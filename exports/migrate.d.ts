/// <reference types="node" />
import { EventEmitter } from 'node:events'
import { AerospikeStore, SessionData } from '../index'

/** Options of a {@link MigratingStore}. Unknown names and wrong values are refused with `BAD_OPTION`. */
export interface MigratingStoreOptions {
  /** The old store: any store for express-session. */
  from: object
  /** The new store. */
  to: AerospikeStore
  /**
   * When all processes turn to the new store. Choose a time after the deployment is complete on all of them: until then everything stays in
   * the old store.
   */
  at: Date
}

/**
 * A store for express-session that moves live sessions from another store. Until `at` it passes every call to the old store. From then on it
 * looks in the new store first, moves each session with the first request that uses it, and writes to the new store alone. Nobody is logged
 * out, and no logout is undone.
 *
 * @example
 * const store = new MigratingStore({
 *   from: new RedisStore({ client }),
 *   to: new AerospikeStore({ hosts: '10.0.0.1:3000' }),
 *   at: new Date('2027-01-10T03:00:00Z')
 * })
 * app.use(session({ store, secret, resave: false, saveUninitialized: false }))
 */
export class MigratingStore extends EventEmitter {
  /** @throws {AerospikeSessionError} `BAD_OPTION` */
  constructor(options: MigratingStoreOptions)

  readonly from: any
  readonly to: AerospikeStore
  at: Date
  /** Whether `at` has come. */
  readonly isMigrating: boolean

  /** Returns a session, and moves it if only the old store has it. */
  get(sid: string): Promise<any>
  get(sid: string, callback: (error: any, session?: any) => void): void
  set(sid: string, session: SessionData): Promise<void>
  set(sid: string, session: SessionData, callback?: (error?: any) => void): void
  touch(sid: string, session: SessionData): Promise<void>
  touch(sid: string, session: SessionData, callback?: (error?: any) => void): void
  /** Removes a session from both stores. */
  destroy(sid: string): Promise<void>
  destroy(sid: string, callback?: (error?: any) => void): void

  /** Used by express-session. */
  regenerate(req: any, callback: (error?: any) => any): void
  load(sid: string, callback: (error: any, session?: any) => any): void
  createSession(req: any, session: any): any
}

export default MigratingStore
