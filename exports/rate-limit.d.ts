/// <reference types="node" />
import { AerospikeSessionError, SessionStore, SessionStoreOptions, SessionStoreStats } from '../index'

/** Where the counters are: on a shared client, or on a connection of their own. */
export interface RateLimitPlace extends Pick<
  SessionStoreOptions,
  'hosts' | 'auth' | 'user' | 'password' | 'authMode' | 'tls' | 'timeout' | 'connectTimeout' | 'maxConnsPerNode' | 'maxPending' |
  'clusterName' | 'servicesAlternate' | 'rackIds' | 'ioThread' | 'namespace' | 'hashIds'
> {
  /**
   * A `SessionStore` whose connection is shared: `store.client` of an `AerospikeStore`, or your own. It is never closed by a limiter. The
   * options of the connection, `namespace` and `hashIds` are those of the client, and must not be given again.
   * @default a connection of its own, which `close()` closes
   */
  client?: SessionStore
  /** The set of the counters: 1 to 63 characters of `A-Za-z0-9_-`. It must not be the set of the sessions. @default 'ratelimits' */
  set?: string | undefined
  /**
   * Keeps the counters apart from those of other limiters in the same set. Give each limiter a prefix of its own.
   * @default '' for a `RateLimiter`, 'express:' and 'fastify:' for the stores
   */
  prefix?: string
}

/** Options of a {@link RateLimiter}. Unknown names and wrong values are refused with `BAD_OPTION`. */
export interface RateLimiterOptions extends RateLimitPlace {
  /** The points that a key may consume in a window: a whole number from 1 to 100,000,000. */
  limit: number
  /** The length of a window in **seconds**: more than 0, at most 31,536,000 (a year). Fractions are kept to the millisecond. */
  window: number
  /**
   * How points expire. `'fixed'`: a window begins with the first point, and all its points expire when it ends. `'sliding'`: windows follow each
   * other, and the points of the window before count in proportion to the part of it that is not longer ago than a window.
   * @default 'fixed'
   */
  type?: 'fixed' | 'sliding' | undefined
  /**
   * What `consume` answers if the cluster does not: `'allow'` or `'deny'`. The result then has an `error`. Errors of the caller (`BAD_KEY`, `BAD_OPTION`,
   * `CLOSED`) always reject.
   * @default none: `consume` rejects
   */
  onError?: 'allow' | 'deny' | undefined
}

/** The answer of a {@link RateLimiter}. */
export interface RateLimitResult {
  /** Whether the points were consumed; of `peek`, whether one point could be. */
  allowed: boolean
  /** The points that are left. */
  remaining: number
  /** When all points are available again, if no more are consumed. */
  resetAt: Date
  /** **Seconds**, rounded up, after which the request may succeed. 0 if it is allowed. For the header `Retry-After`. */
  retryAfter: number
  /** The error that option `onError` has decided about. */
  error?: AerospikeSessionError
}

/**
 * Counts points of keys, and allows no more than a limit in a window of time: logins by user and address, requests by API key. The counters
 * are on the cluster, so all processes share them. Each call is one command.
 *
 * @example
 * const limiter = new RateLimiter({ client: store.client, limit: 5, window: 60, prefix: 'login:' })
 * const { allowed, retryAfter } = await limiter.consume(username)
 * if (!allowed) res.status(429).set('Retry-After', String(retryAfter)).end()
 */
export class RateLimiter {
  /** @throws {AerospikeSessionError} `BAD_OPTION` */
  constructor(options: RateLimiterOptions)

  /** The client that the limiter uses: the shared one, or its own. */
  readonly client: SessionStore

  /**
   * Consumes points, if they fit into the limit. An attempt that is not allowed consumes nothing.
   *
   * It is never sent again once it may have been applied. If its answer is lost, it rejects with `inDoubt: true`: the points were consumed once,
   * or not at all.
   *
   * @param key who is limited: a string of 1 to 4,096 bytes. It may come from anybody
   * @param points a whole number from 1 to `limit`. @default 1
   * @throws {AerospikeSessionError} `BAD_KEY`, `BAD_OPTION` (points), `CLOSED`; without `onError` also those of the cluster: `UNAVAILABLE`, `TIMEOUT`, `OVERLOAD` …
   */
  consume(key: string, points?: number): Promise<RateLimitResult>
  consume(key: string, points: number | undefined, callback: (error: AerospikeSessionError | null, result?: RateLimitResult) => void): void
  consume(key: string, callback: (error: AerospikeSessionError | null, result?: RateLimitResult) => void): void

  /**
   * Returns what `consume(key)` would, and consumes nothing.
   * @throws {AerospikeSessionError} as `consume` without `onError`
   */
  peek(key: string): Promise<RateLimitResult>
  peek(key: string, callback: (error: AerospikeSessionError | null, result?: RateLimitResult) => void): void

  /**
   * Forgets what a key has consumed, for example after a successful login.
   * @returns whether there was anything
   * @throws {AerospikeSessionError} as `peek`
   */
  reset(key: string): Promise<boolean>
  reset(key: string, callback: (error: AerospikeSessionError | null, existed?: boolean) => void): void

  /** Returns the counters of the client, see `SessionStore.stats`. Operations of limits are under `consume`, `peek`, `reset` and so on. */
  stats(): SessionStoreStats

  /** Closes the connection, unless the client is shared. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** Options of an {@link AerospikeRateLimitStore}. */
export interface AerospikeRateLimitStoreOptions extends RateLimitPlace {
  /** How hits expire, see {@link RateLimiterOptions.type}. @default 'fixed' */
  type?: 'fixed' | 'sliding' | undefined
}

/** What express-rate-limit knows about a key. */
export interface RateLimitClientInfo {
  totalHits: number
  resetTime: Date
}

/**
 * The store for express-rate-limit. One command for each request. Hits of a request whose answer is lost are not counted again: `increment` rejects with
 * `inDoubt: true`, and `passOnStoreError` of express-rate-limit decides about the request.
 *
 * @example
 * const { rateLimit } = require('express-rate-limit')
 * app.use(rateLimit({ windowMs: 60_000, limit: 100, store: new AerospikeRateLimitStore({ client: store.client }) }))
 */
export class AerospikeRateLimitStore {
  /** @throws {AerospikeSessionError} `BAD_OPTION` */
  constructor(options?: AerospikeRateLimitStoreOptions)

  readonly client: SessionStore
  /** `false`: the hits of a key are counted for all processes. */
  localKeys: boolean
  prefix: string

  /** Called by express-rate-limit with its options. `windowMs`: **milliseconds**. */
  init(options: { windowMs: number }): void
  /** Returns what is counted under a key, or `undefined` if nothing is. */
  get(key: string): Promise<RateLimitClientInfo | undefined>
  /** Counts a hit. */
  increment(key: string): Promise<RateLimitClientInfo>
  /** Takes back a hit. */
  decrement(key: string): Promise<void>
  /** Forgets the hits of a key. */
  resetKey(key: string): Promise<void>
  /** Forgets the hits of all keys of this prefix. It reads the set, so it takes longer the more keys there are. */
  resetAll(): Promise<void>
  stats(): SessionStoreStats
  /** Closes the connection, unless the client is shared. */
  close(): Promise<void>
  /** `close()`, as express-rate-limit calls it. */
  shutdown(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** Options of {@link fastifyRateLimitStore}. */
export type FastifyRateLimitStoreOptions = RateLimitPlace

/** The store that the plugin creates. `timeWindow`: **milliseconds**; `ttl`: milliseconds until the window ends. */
export interface FastifyRateLimitStore {
  incr(key: string, callback: (error: Error | null, result?: { current: number, ttl: number }) => void, timeWindow: number, max: number): void
  /** Reads what `incr` counts. Used by `createRateLimit` with `increment: false`. */
  read(key: string, callback: (error: Error | null, result?: { current: number, ttl: number }) => void, timeWindow: number, max: number): void
  /** The store of a route with a limit of its own. */
  child(routeOptions: any): FastifyRateLimitStore
}

/**
 * Returns the class for option `store` of @fastify/rate-limit, which creates the store itself. One command for each request. `continueExceeding`,
 * `exponentialBackoff` (up to a day) and `ban` work. If the cluster does not answer, `skipOnError` of the plugin decides.
 *
 * @throws {AerospikeSessionError} `BAD_OPTION`
 * @example
 * await fastify.register(require('@fastify/rate-limit'), { max: 100, timeWindow: '1 minute', store: fastifyRateLimitStore({ client: store.client }) })
 */
export function fastifyRateLimitStore(options?: FastifyRateLimitStoreOptions): {
  new (params: any): FastifyRateLimitStore
  /** Closes the connection, unless the client is shared. */
  close(): Promise<void>
}
