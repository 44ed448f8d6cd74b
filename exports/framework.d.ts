/// <reference types="node" />
import { AerospikeStore, AerospikeStoreOptions, DoneCallback, SessionOwner } from '../index'

/** Options of a framework's store: those of an {@link AerospikeStore}, or of one that is lent a client. */
export interface FrameworkStoreOptions extends Omit<AerospikeStoreOptions, 'ttl' | 'user' | 'whenDown'> {
  /**
   * How long a session lives, in seconds. A number counts only where the framework does not tell; a function, which
   * gets the session's data, decides always, and a result of 0 or less removes the session.
   * @default 86400, or the `ttl` of the lent client
   */
  ttl?: number | ((data: any, id: string) => number) | undefined
  /**
   * The owner of a session: a function of its data, or a path into them such as `'passport.user'`; for
   * `store.sessionsOf`, `store.countOf` and `store.destroyOf`. With `password` it is a login name instead.
   * @default none
   */
  user?: string | ((data: any) => SessionOwner | null | undefined) | undefined
}

/** What the stores of all frameworks have in common. */
export abstract class FrameworkStore {
  /** @throws {AerospikeSessionError} `BAD_OPTION`, at once and in words */
  constructor(options?: FrameworkStoreOptions)

  /**
   * The store beneath, which has the events (`gone`, `conflict`, `evicted`, `warning`, `up`, `down`) and what concerns many
   * sessions: `all`, `length`, `clear`, `destroyOf` and so on. It adds a `cookie` to a session's data, for its end.
   */
  readonly store: AerospikeStore

  /** Resolves once connected; rejects when the attempt to connect fails, with the reason. */
  ready(): Promise<void>
  ready(callback: DoneCallback): void

  /** Closes the store's own client; a lent one stays open. Idempotent. */
  close(): Promise<void>
  close(callback: DoneCallback): void
  [Symbol.asyncDispose](): Promise<void>
}
