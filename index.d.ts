/// <reference types="node" />
import { EventEmitter } from 'node:events'
// @ts-ignore: without the types of express-session (`@types/express-session`) this is `any`
import type { SessionData as ExpressSessionData } from 'express-session'

/**
 * A session as an application has it: `SessionData` of express-session, which applications extend by declaration merging.
 * Without `@types/express-session`, a session with any keys.
 */
export type SessionData = 0 extends 1 & ExpressSessionData ? { cookie: SessionCookie, [key: string]: any } : ExpressSessionData

/** The cookie of a session, if the types of express-session are not installed. */
export interface SessionCookie {
  originalMaxAge: number | null
  maxAge?: number | null | undefined
  expires?: Date | null | undefined
  path?: string | undefined
  domain?: string | undefined
  httpOnly?: boolean | undefined
  secure?: boolean | 'auto' | undefined
  sameSite?: boolean | 'lax' | 'strict' | 'none' | undefined
  partitioned?: boolean | undefined
  priority?: 'low' | 'medium' | 'high' | undefined
}

/** The cookie of a session as the store returns it: what its JSON says. */
export interface StoredCookie {
  /** Milliseconds; `null`: the browser keeps the cookie until it is closed. */
  originalMaxAge: number | null
  /** When the session really ends, in ISO 8601; `null` if the cookie has no end of its own. */
  expires: string | null
  path?: string
  domain?: string
  httpOnly?: boolean
  secure?: boolean | 'auto'
  sameSite?: boolean | 'lax' | 'strict' | 'none'
  partitioned?: boolean
  priority?: 'low' | 'medium' | 'high'
}

/** A session as the store returns it: {@link SessionData}, and its cookie as JSON has it, dates as strings. */
export type LoadedSession = Omit<SessionData, 'cookie'> & { cookie: StoredCookie }

/** One node to start from; the others of the cluster are found through it. */
export interface Host {
  /** Name or address. An IPv6 address with or without brackets. */
  host: string
  /** @default 3000 */
  port?: number | undefined
  /** The name in the node's certificate, where TLS is on. @default the host */
  tlsName?: string | undefined
}

/**
 * How connections are encrypted, named as in Node's own `tls.connect()`. Certificates and keys are
 * PEM, as a string or a `Buffer`, or the path of a file that holds it. Files are read once, when the
 * store is made.
 */
export interface TlsOptions {
  /**
   * The authorities that may have signed the nodes' certificates.
   * @default those the operating system trusts (or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`), and
   * those Node.js trusts: the ones it comes with and those of `NODE_EXTRA_CA_CERTS`
   */
  ca?: string | Buffer | ReadonlyArray<string | Buffer>
  /** Our certificate, and those between it and its authority, where nodes ask for one. Needs `key`. */
  cert?: string | Buffer | ReadonlyArray<string | Buffer>
  /** The key to `cert`, not encrypted. */
  key?: string | Buffer
  /** The name in the certificates of hosts without a `tlsName`. @default each host's own name */
  servername?: string | undefined
  /**
   * The public keys that a node's certificate may be for, besides the usual checks: `'sha256/'` and the
   * base64 of the SHA-256 of its SubjectPublicKeyInfo, as in RFC 7469. Give the next key's pin as well,
   * before the certificate changes.
   * @default any
   */
  pins?: ReadonlyArray<string>
}

/** A user and a password: at most 900 bytes together. */
export interface Credentials {
  user: string
  password: string
}

/**
 * Options of a {@link SessionStore}. Unknown names and wrong values are refused with `BAD_OPTION`.
 *
 * An option that is `undefined` counts as left out, unless it protects something: `auth`, `user` and `password`, `tls` with
 * its `ca`, `cert`, `key` and `pins`, `clusterName`, `prefix`, `encryptionKeys`, `hashIds`, `absoluteTtl`,
 * `maxSessionsPerUser`, `tombstones`, `durableDelete`, `client`. If one of these is present and `undefined`, as `process.env.MISSING` is, it is refused with
 * `BAD_OPTION`. With TypeScript's `exactOptionalPropertyTypes` the types say the same.
 */
export interface SessionStoreOptions {
  /**
   * Nodes to start from: `'10.0.0.1:3000,10.0.0.2:3000'`, an array of such, or {@link Host} objects.
   * `host`, `host:port`, `host:tlsName:port`; IPv6 as `::1` or `[::1]:3000`.
   * @default environment variable `AEROSPIKE_HOSTS`, else `'localhost:3000'`
   */
  hosts?: string | Host | ReadonlyArray<string | Host> | undefined
  /** 1 to 31 characters of `A-Za-z0-9_-`. @default 'test' */
  namespace?: string | undefined
  /** 1 to 63 characters of `A-Za-z0-9_-`. @default 'sessions' */
  set?: string | undefined
  /** The bin of the session's data: 1 to 15 characters of `A-Za-z0-9_-`. @default 'data' */
  bin?: string | undefined
  /**
   * Put before every session id. Stores with different prefixes share a set, and never see or change each other's
   * sessions: every command compares bin `prefix`. A new session whose key is taken by another prefix (`'shop:'` with id
   * `'beta:x'`, `'shop:beta:'` with id `'x'`) fails with `BAD_KEY`.
   * @default ''
   */
  prefix?: string
  /**
   * How long a session lives, in seconds, unless the call says otherwise. More than 0, at most 10
   * years (the server's own limit).
   * @default 86400
   */
  ttl?: number | undefined
  /**
   * Where the cluster asks for a login: user and password, or a function that gives them, or a promise
   * of them. The function is called before each attempt to connect, and when a login is refused while
   * the store runs: passwords may change without a restart. What it throws, or what it gives that is
   * none, fails operations with `AUTH`, and so does an answer that takes longer than `connectTimeout`.
   */
  auth?: Credentials | (() => Credentials | Promise<Credentials>)
  /** A login, as in `auth`. Needs `password`. */
  user?: string
  password?: string
  /**
   * Where passwords are checked: `'internal'`, by the cluster; `'external'`, by a directory (LDAP) behind it, which gets the
   * password itself and therefore needs `tls`; `'external-insecure'`, the same without TLS, for tests. `'pki'`: no password,
   * the user name is taken from the certificate in `tls.cert`.
   *
   * Use `tls` with `'internal'` as well. Someone who reads such a login on the network can replay it.
   * @default 'internal', where there is a login
   */
  authMode?: 'internal' | 'external' | 'external-insecure' | 'pki' | undefined
  /**
   * Encrypted connections: `true` to trust the authorities that the operating system and Node.js
   * trust, or {@link TlsOptions}. Every node's certificate must be for the `tlsName` of its host, or else
   * for its name or address.
   * @default false
   */
  tls?: boolean | TlsOptions
  /**
   * The longest an operation on one session may take, in milliseconds, connecting and retrying included. One that looks
   * through many sessions takes as long as it takes, but fails when nothing is heard of the cluster for twice that long.
   * @default 3000
   */
  timeout?: number | undefined
  /** The longest one attempt to connect may take, in milliseconds, login included. @default 5000 */
  connectTimeout?: number | undefined
  /** Connections to each node, at the most. @default 64 */
  maxConnsPerNode?: number | undefined
  /**
   * The name the cluster must have, 1 to 63 bytes. A node of another cluster is not connected to:
   * operations fail with `SERVER`, and say so.
   * @default any
   */
  clusterName?: string
  /**
   * Connect to the addresses that nodes announce as `alternate-access-address`: from outside their
   * network.
   * @default false
   */
  servicesAlternate?: boolean | undefined
  /**
   * The rack this process stands in (the server's `rack-id`, 0 to 1000000), or several, the best first:
   * records are read from a copy there, if there is one, and from any other otherwise. Writes go where
   * they have to. Without racks (the Community Edition) it changes nothing.
   * @default none
   */
  rackIds?: number | ReadonlyArray<number> | undefined
  /**
   * Operations under way at the same time, over all stores that share this connection; beyond that
   * further ones fail at once with `OVERLOAD`, so that a cluster that stalls does not fill the memory.
   * @default 100000
   */
  maxPending?: number | undefined
  /**
   * Which thread does the networking and encoding. `'auto'`: the JavaScript thread while 8 operations or fewer are under way, which is the
   * fastest for a few; the thread `aerospike-session` for more. Only in Node.js on Linux, and only in the main thread: elsewhere `'auto'`
   * is the same as `'always'`. `'always'`: the thread. It applies to the whole process, from the first store with
   * `'always'` on.
   * @default 'auto'
   */
  ioThread?: 'auto' | 'always' | undefined
  /**
   * How data is kept: `'map'` natively, as other languages read it; `'json'` as JSON text, which is
   * faster and for Node.js alone. Both are read whatever this says, so it can be changed on a
   * running site. `'map'` returns objects with their keys sorted, as the server keeps them; `'json'` keeps their
   * order. Data with lone surrogates is always kept as JSON: no native string can hold them.
   * @default 'map'
   */
  format?: 'map' | 'json' | undefined
  /**
   * Turns values into JSON, as the second argument of `JSON.stringify` does. With `reviver` it stores values that JSON has no type for:
   * Date, Map, BigInt, a decimal class. It sees the data, and never the cookie. Changes are still merged by top-level key, in every format.
   *
   * If it throws, `set` and `save` fail with `BAD_DATA`.
   * @default none
   * @example
   * new AerospikeStore({
   *   replacer: (key, value) => value instanceof Map ? { $map: [...value] } : value,
   *   reviver: (key, value) => value?.$map ? new Map(value.$map) : value
   * })
   */
  replacer?: ((this: any, key: string, value: any) => any) | ReadonlyArray<string | number> | undefined
  /**
   * Turns JSON into values, as the second argument of `JSON.parse` does. For the session itself it must return an object. It sees the data,
   * and never the cookie.
   *
   * If it throws for a session, `get` of that session fails with `BAD_DATA`; `all`, `sessions` and `sessionsOf` leave the session out.
   * @default none
   */
  reviver?: ((this: any, key: string, value: any, context?: { source?: string }) => any) | undefined
  /**
   * Encrypt data and cookie, by AES-256-GCM: keys of 32 bytes each, as a Buffer or in base64. The first encrypts, all of
   * them decrypt. What was stored before, without encryption or with an older key, is read, and encrypted with the first
   * by its next write. A record that no key opens fails its `get` with `BAD_DATA`, and stays as it is. See
   * docs/security.md for how to change keys, and for what this does not hide.
   * @default none: nothing is encrypted
   */
  encryptionKeys?: ReadonlyArray<string | Uint8Array>
  /**
   * A secret of at least 16 bytes, by which the record's key is an HMAC of the session id, and bin `user` one of the user:
   * who has the database can then not even look up an id or a user. Sessions stored without it, or with another, are not
   * found. Not together with `storeIds`.
   * @default none: ids are not hashed
   */
  hashIds?: string | Uint8Array
  /**
   * Keep the session id with the record. Without it the server knows only a digest of each id, a
   * dump of it holds no live ids, and `ids()` has none to give.
   * @default false
   */
  storeIds?: boolean | undefined
  /**
   * The longest a session lives from its creation, in seconds, whatever touches it.
   * @default none
   */
  absoluteTtl?: number
  /**
   * Percent. A read with less than this share of a session's life left makes the server itself
   * extend it by its whole life (server 7.1 and later), and a touch with an unchanged cookie is
   * left out: a page view costs one operation, not two. The end of such a session is exact to
   * the second, and may come early by the share that is not read. For lives of minutes and more.
   * @default none
   */
  touchOnRead?: number | undefined
  /**
   * Leave an empty record in the place of a removed session. For the Community Edition on disk,
   * where a removed record can come back after a cold restart.
   * @default false
   */
  tombstones?: boolean
  /** Remove durably: the Enterprise Edition's own answer to the same. @default false */
  durableDelete?: boolean
}

/**
 * Options of an {@link AerospikeStore}: those of a {@link SessionStore}, or one that is lent, and
 * its own.
 */
export interface AerospikeStoreOptions extends Omit<SessionStoreOptions, 'ttl' | 'user'> {
  /**
   * How long a session lives, in seconds. A number counts only for cookies without `maxAge` or
   * `expires`; a function decides always, and a result of 0 or less removes the session.
   * @default 86400, or the `ttl` of the lent client
   */
  ttl?: number | ((session: SessionData, sid: string) => number) | undefined
  /**
   * A client to use, which is then never closed. The options of the connection, and `namespace`,
   * `set` and `bin`, belong to it; the others it has are the defaults of this store's.
   */
  client?: SessionStore
  /**
   * What a set does to a session that others changed since it was loaded: `'merge'` keeps what they
   * changed, key by key of the session's own keys; with `'overwrite'` the whole session is what
   * this request has. Neither brings back a session that is gone.
   * @default 'merge'
   */
  conflict?: 'merge' | 'overwrite' | undefined
  /**
   * Seconds. A touch that would move the end of a session by less is not written.
   * @default 0: every touch is
   */
  touchAfter?: number | undefined
  /**
   * The owner of a session: a function, or a path into the session such as `'passport.user'`. The owner is stored in bin
   * `user`, for `sessionsOf`, `countOf` and `destroyOf`. With `password` it is a login name instead.
   *
   * `undefined`, `null`, `''`, `NaN` and infinite numbers mean that the session has no owner. Any other value that is not a
   * {@link SessionOwner} fails the `set` with `BAD_DATA`.
   * @default none
   */
  user?: string | ((session: SessionData) => SessionOwner | null | undefined) | undefined
  /**
   * How many sessions a user may have at a time: 1 to 1,000. A `set` that gives a session to a user (a login) removes the
   * user's sessions beyond the limit before it is answered, and emits `evicted` for each. It never removes the session that
   * it stores. See docs/users.md. Needs option `user`.
   *
   * `evict` chooses the sessions that are removed: `'oldest'` those created first, `'idle'` those that were not written or
   * touched for longest.
   *
   * If the limit cannot be enforced, the login succeeds, and the store emits a `warning` with code `LIMIT_NOT_ENFORCED`.
   * {@link AerospikeStore.ready} creates the index that finds a user's sessions, if the login of the store may do so.
   * @default none
   * @example
   * new AerospikeStore({ user: 'userId', maxSessionsPerUser: 3 })
   * new AerospikeStore({ user: 'userId', maxSessionsPerUser: { limit: 3, evict: 'idle' } })
   */
  maxSessionsPerUser?: number | { limit: number, evict?: 'oldest' | 'idle' | undefined }
  /**
   * Seconds between two checks of a watched session, 0.1 to 3,600: see {@link AerospikeStore.watch}.
   * @default 5
   */
  watchInterval?: number | undefined
  /**
   * What requests get while no node can be reached: `'error'`, at once; `'anonymous'`: no session
   * and no error (by express-session's `disconnect` and `connect` events).
   * @default 'error'
   */
  whenDown?: 'error' | 'anonymous' | undefined
}

/**
 * The owner of a session, as JSON has it: a string of 1 to 2,048 bytes or a finite number. A value with a `toJSON` that returns
 * such a string or number counts as that, for example an ObjectId or a Date. Numbers are stored as text, so `42`,
 * `42n` and `'42'` are the same owner.
 */
export type SessionOwner = string | number | bigint | { toJSON(key?: any): string | number | null | undefined }

/** Options of one call. */
export interface TtlOptions {
  /** Seconds; more than 0, at most 10 years. @default the store's `ttl` */
  ttl?: number | undefined
}

/**
 * What went wrong:
 *
 * - `UNAVAILABLE` no node could be reached; `TIMEOUT` no answer in time; `OVERLOAD` too much work;
 * - `CLOSED` the store was closed;
 * - `AUTH`, `TLS`, `FORBIDDEN`, `NAMESPACE` the cluster refuses; `AUTH` also: option `auth` gives no login;
 * - `TOO_BIG` the session is larger than one record may be: 1 MiB, unless the server says otherwise;
 * - `BAD_DATA` the data cannot be stored, or what is stored is no session; `BAD_KEY` the session id
 *   cannot be one; `BAD_OPTION` an option or argument is wrong;
 * - `CONFLICT` a write lost against too many others;
 * - `SERVER` any other answer of the server.
 */
export type AerospikeSessionErrorCode =
  | 'UNAVAILABLE' | 'TIMEOUT' | 'CLOSED' | 'AUTH' | 'TLS' | 'FORBIDDEN' | 'NAMESPACE' | 'TOO_BIG'
  | 'OVERLOAD' | 'BAD_DATA' | 'BAD_KEY' | 'BAD_OPTION' | 'CONFLICT' | 'SERVER'

/** Every error of this package. Its message never holds session data, a session id, a password or a key. */
export class AerospikeSessionError extends Error {
  private constructor()
  readonly name: 'AerospikeSessionError'
  readonly code: AerospikeSessionErrorCode
  /** The same call may well succeed a little later. */
  readonly retryable: boolean
  /** A write that may have been applied all the same. */
  readonly inDoubt: boolean
  /** The server's result code; negative: the client library's. */
  readonly resultCode?: number
  readonly cause?: unknown
}

/** Something worth knowing that fails nothing. Where nobody listens it is a process warning. */
export interface SessionStoreWarning {
  /**
   * `TTL_REFUSED`: the namespace refuses TTLs; sessions end on time but are not removed.
   * `NO_USER_INDEX`: sessions of a user were found by reading every record of the set. Told once.
   * `TOUCH_ON_READ_UNSUPPORTED`: option `touchOnRead` is given and a node is older than Aerospike 7.1; the store writes each
   * touch. Emitted once.
   * `NODES_UNREACHABLE`: nodes announce addresses that cannot be reached, so the sessions on them fail. The message names the nodes,
   * the addresses and option `servicesAlternate`. Emitted once for the same nodes and addresses.
   * `LIMIT_NOT_ENFORCED`: a login succeeded, but its user may have more sessions than option `maxSessionsPerUser` allows. The
   * message says why. The next login of the user enforces the limit. Emitted each time.
   * `UNREADABLE`: a record cannot be read: it holds no session, or no key of `encryptionKeys` opens it. Told once.
   * `RENEWAL_FAILED`: the middleware of `renewal()` could not renew the id of a session. The request went on under its id.
   */
  code: 'TTL_REFUSED' | 'NO_USER_INDEX' | 'NODES_UNREACHABLE' | 'UNREADABLE' | 'TOUCH_ON_READ_UNSUPPORTED' | 'LIMIT_NOT_ENFORCED' | 'RENEWAL_FAILED'
  message: string
}

/** Of which session an event tells: the digest of its key, 40 hexadecimal digits. Never its id. */
export interface SessionEvent {
  digest: string
}

/** Options of a walk over all sessions. */
export interface WalkOptions {
  /** About how many records are in hand at a time. @default 1000 */
  batch?: number | undefined
}

/** Options of {@link AerospikeStore.prune}. */
export interface PruneOptions extends WalkOptions {
  /**
   * Called after each batch with the share of the set that is done, 0 to 1, and how many sessions were removed. A promise
   * that it returns is awaited; if it throws or rejects, `prune` rejects with that error.
   */
  onProgress?: ((progress: { done: number, pruned: number }) => void | Promise<void>) | undefined
}

/** Options of {@link AerospikeStore.watch}. */
export interface WatchOptions {
  /**
   * Extend the session while it is watched: whenever less than half of its lifetime is left, by its whole lifetime. That is
   * `originalMaxAge` of its cookie, or else the store's `ttl`. `absoluteTtl` limits it. Not possible if option `ttl` is a function.
   * @default false
   */
  touch?: boolean | undefined
}

/** A watch, as {@link AerospikeStore.watch} returns it. */
export interface SessionWatch {
  /**
   * Aborts once, when the session has ended. Its `reason` is the string `'gone'` (it was removed, did not exist, or another session was
   * stored under its id) or `'expired'`. Listeners run without an AsyncLocalStorage context.
   */
  readonly signal: AbortSignal
  /** Ends the watch: the signal does not abort any more. Idempotent. Needs no `this`. */
  stop(): void
  /** The same as `stop`. */
  [Symbol.dispose](): void
}

/** A session as `all` and `sessions` give it: with its `id` where `storeIds` is on. */
export type StoredSession = Omit<LoadedSession, 'id'> & { id?: string }

/** What `sessionsOf` adds to each session. The properties are not enumerable: JSON and copies of the session leave them out. */
export interface UserSessionProperties {
  /** The digest of the session's key, 40 hexadecimal digits: for `destroyByDigest`. It may be shown, unlike the session id. */
  digest: string
  /** When the session was created, in milliseconds since 1970. `undefined` if the record was not written by this package. */
  created: number | undefined
  /** When the record was last written or touched, in milliseconds since 1970, by the server's clock. */
  updated: number
}

/**
 * A session as `sessionsOf` returns it. Keys of the data named `digest`, `created` or `updated` are not shown, and a later `set`
 * stores them unchanged.
 */
export type UserSession = Omit<StoredSession, keyof UserSessionProperties> & UserSessionProperties

/** Node's callback. Called exactly once, in the AsyncLocalStorage context of the call. */
export type Callback<T> = (error: AerospikeSessionError | null, value?: T) => void
/** The callback of an operation that has nothing to return. */
export type DoneCallback = (error?: AerospikeSessionError | null) => void

/** What `stats()` tells. Numbers count since the client was made. */
export interface SessionStoreStats {
  /** Whether a node can be reached. */
  connected: boolean
  /** The nodes of the cluster, as far as they are known: `address` is `host:port`, `active` whether it answered when last asked. */
  nodes: { name: string, address: string, active: boolean }[]
  /** Operations that are not answered yet. */
  inFlight: number
  /**
   * By method (`get`, `set`, `touch` …): how many succeeded, and how many failed with which code. Calls that were refused without
   * asking the cluster (`BAD_KEY`, `BAD_DATA`, `BAD_OPTION`, `CLOSED`) count, too.
   */
  operations: Record<string, { ok: number, errors: Partial<Record<AerospikeSessionErrorCode, number>> }>
  /** Attempts beyond an operation's first. */
  retries: number
  /** Requests to a node that carried more than one operation, and the operations that went so. */
  batches: number
  batched: number
  /**
   * How long operations on one session took, from the call until their answer was ready: `counts[i]` of them at most
   * `bounds[i]` **milliseconds** and more than the bound before; the last count is of those above every bound. `sum`: all of them
   * together, in milliseconds.
   */
  latency: { bounds: number[], counts: number[], sum: number }
}

/** The operations that diagnostics channels tell of, by the method that asks for them. `sessions` and `prune` ask once for each page. */
export type OperationName =
  | 'get' | 'set' | 'touch' | 'destroy' | 'save' | 'delete' | 'has' | 'all' | 'sessions' | 'ids' | 'length' | 'clear' | 'prune'
  | 'createUserIndex' | 'sessionsOf' | 'countOf' | 'destroyOf' | 'destroyByDigest' | 'ready' | 'renew'
  | 'consume' | 'increment' | 'decrement' | 'peek' | 'reset' | 'resetAll'

/**
 * The message of the channels `tracing:aerospike-session:<operation>:<event>`, made for
 * `diagnostics_channel.tracingChannel('aerospike-session:get')` and so on, see docs/observability.md. One object for all
 * events of an operation, to which listeners may add what they need. Holds no session id and no data.
 */
export interface OperationMessage {
  readonly operation: OperationName
  readonly namespace: string
  readonly set: string
  /**
   * From `asyncStart` and `error` on. `hit`, `miss`: of `get`, `has`, `delete`, and `touch` of a `SessionStore`, whether there was
   * such a session. `gone`, `conflict`: of `set`, as the events of that name. `error`: it failed. `ok`: anything else.
   */
  outcome?: 'ok' | 'hit' | 'miss' | 'gone' | 'conflict' | 'error'
  /** From `asyncStart` and `error` on: **milliseconds** from the call until its answer was there. */
  duration?: number
  /**
   * From `asyncStart` and `error` on, of operations on one session: the name of the node it was last sent to, as in `stats()`.
   * Left out where it is not known: before the store has learned who holds what, of reads that went to another node because
   * theirs did not answer, and of reads with `rackIds`.
   */
  node?: string
  /**
   * From `asyncStart` and `error` on, of operations on one session that were sent: how many went to the node in one
   * request, this one included. 1: it went alone.
   */
  batch?: number
  /** Of an operation that failed. */
  error?: AerospikeSessionError
}

/**
 * Aerospike's session-store recipe: sessions as plain data, in the layout of its Java and Python
 * recipes. Every method returns a promise if, and only if, it is given no callback.
 *
 * Constructing one never fails for an unreachable cluster: it connects in the background, and
 * again whenever it has to. An idle store does not keep the process alive.
 */
export class SessionStore extends EventEmitter {
  /** @throws {AerospikeSessionError} `BAD_OPTION`, at once and in words */
  constructor(options?: SessionStoreOptions)

  /** How long a session lives by default, in seconds. */
  readonly ttl: number
  /** Whether a node can be reached; `undefined` until that is known, `false` after `close()`. */
  readonly connected: boolean | undefined

  /**
   * Stores `data`, whatever was there, for `ttl` seconds. What `JSON.stringify` does to it, this does.
   * Where the namespace refuses TTLs the session is stored without one, and still ends on time.
   */
  save(id: string, data: object, options?: TtlOptions): Promise<void>
  save(id: string, data: object, callback: DoneCallback): void
  save(id: string, data: object, options: TtlOptions | undefined, callback: DoneCallback): void

  /** The data, or `null` for a session that does not exist or has ended. */
  get<T extends object = Record<string, any>>(id: string): Promise<T | null>
  get<T extends object = Record<string, any>>(id: string, callback: Callback<T | null>): void

  /** Gives a session `ttl` more seconds from now, without rewriting its data. Whether there was one. */
  touch(id: string, options?: TtlOptions): Promise<boolean>
  touch(id: string, callback: Callback<boolean>): void
  touch(id: string, options: TtlOptions | undefined, callback: Callback<boolean>): void

  /** Removes a session. Whether there was one. */
  delete(id: string): Promise<boolean>
  delete(id: string, callback: Callback<boolean>): void

  /** Whether there is a session, without reading its data. */
  has(id: string): Promise<boolean>
  has(id: string, callback: Callback<boolean>): void

  /** What has been asked of this client and what came of it, since it was made; costs no request to the cluster. */
  stats(): SessionStoreStats

  /** Resolves once connected; rejects when the attempt to connect fails, with the reason. */
  ready(): Promise<void>
  ready(callback: DoneCallback): void

  /** Closes the connection; what is pending fails with `CLOSED`. Idempotent. */
  close(): Promise<void>
  close(callback: DoneCallback): void
  [Symbol.asyncDispose](): Promise<void>

  on(event: 'warning', listener: (warning: SessionStoreWarning) => void): this
  on(event: 'up' | 'down', listener: () => void): this
  on(event: string | symbol, listener: (...args: any[]) => void): this
  once(event: 'warning', listener: (warning: SessionStoreWarning) => void): this
  once(event: 'up' | 'down', listener: () => void): this
  once(event: string | symbol, listener: (...args: any[]) => void): this
}

/**
 * The store for express-session (and what speaks like it): `session({ store: new AerospikeStore() })`.
 * Every method returns a promise if, and only if, it is given no callback. If a call passes `undefined` or `null` as its
 * callback, as `req.session.destroy()` does, a rejection of that promise does not count as unhandled.
 *
 * It is a `Store` of express-session, where that is installed. Its types do not need those of express-session.
 */
export class AerospikeStore extends EventEmitter {
  /** @throws {AerospikeSessionError} `BAD_OPTION`, at once and in words */
  constructor(options?: AerospikeStoreOptions)

  /** The client: the one lent, or the store's own. */
  readonly client: SessionStore

  /** The session with its cookie, `cookie.expires` being when it really ends; `null` for none. */
  get(sid: string): Promise<LoadedSession | null>
  get(sid: string, callback: (error: any, session?: LoadedSession | null) => void): void
  /** As express-session's types have it, though `cookie.expires` is a string. */
  get(sid: string, callback: (error: any, session?: SessionData | null) => void): void

  /**
   * Stores a session until its cookie expires, or for `ttl`. A session that has already ended is
   * removed instead. One without a cookie is given one for the time it has left.
   *
   * Of a session that `get` returned, or that this stored before, only what changed is written, and
   * only if the session is still there; else event `gone` tells, and nothing fails.
   */
  set(sid: string, session: SessionData | LoadedSession): Promise<void>
  set(sid: string, session: SessionData | LoadedSession, callback?: (error?: any) => void): void

  /** More life for a session, and its cookie as it is now; no error if there is none. */
  touch(sid: string, session: SessionData | LoadedSession): Promise<void>
  touch(sid: string, session: SessionData | LoadedSession, callback?: (error?: any) => void): void

  /** Removes a session; no error if there is none. */
  destroy(sid: string): Promise<void>
  destroy(sid: string, callback?: (error?: any) => void): void

  /** Called by express-session: removes the session of a request and gives it a new one. */
  regenerate(req: any, callback?: (error?: any) => any): void
  /** Called by express-session: loads a session as a `Session` of the application's express-session. */
  load(sid: string, callback: (error: any, session?: any) => any): void
  /** Called by express-session: makes a stored session the session of a request. */
  createSession(req: any, session: any): any

  /**
   * Every session of this store's prefix, at once: for administration, and for small sets. Records that hold no session,
   * written by somebody else, are left out; so is one that cannot be read, here and wherever many sessions are returned,
   * and a `warning` reports it.
   */
  all(): Promise<StoredSession[]>
  all(callback: (error: any, sessions?: StoredSession[]) => void): void
  /** As express-session's types have it, though `cookie.expires` is a string. */
  all(callback: (error: any, sessions?: SessionData[] | { [sid: string]: SessionData } | null) => void): void

  /** Every session of this store's prefix, some at a time: for sets of any size. */
  sessions(options?: WalkOptions): AsyncGenerator<StoredSession, void, void>

  /** The ids of every session. Needs option `storeIds`. */
  ids(): Promise<string[]>
  ids(callback: Callback<string[]>): void

  /** How many sessions there are; what has ended does not count. */
  length(): Promise<number>
  length(callback: (error: any, length?: number) => void): void

  /** Removes every session of this store's prefix, and nothing else. */
  clear(): Promise<void>
  clear(callback?: (error?: any) => void): void

  /**
   * Removes the records of sessions that have ended; how many. The server does so by itself, but
   * where it refuses TTLs nobody else does.
   */
  prune(options?: PruneOptions): Promise<number>

  /** Makes the index that finds sessions by their owner, if there is none, and waits for it. */
  createUserIndex(): Promise<void>
  createUserIndex(callback: DoneCallback): void

  /**
   * Returns the sessions of a user: at most `limit` of them (1 to 10,000, default 1,000), and no further one once they hold
   * 4 MiB of JSON, because JavaScript parses them in one piece. Which ones are left out is undefined. `countOf` returns how
   * many there are, and `destroyOf` removes all of them. Each session has its `digest`, and when it was `created` and
   * `updated`. Without the index this reads every record of the set and emits a
   * `warning`. Fails with `BAD_KEY` if `user` means that a session has no owner, as `undefined`, `''` and `NaN` do; so do
   * `countOf` and `destroyOf`.
   */
  sessionsOf(user: SessionOwner, options?: { limit?: number | undefined }): Promise<UserSession[]>
  sessionsOf(user: SessionOwner, callback: Callback<UserSession[]>): void
  sessionsOf(user: SessionOwner, options: { limit?: number | undefined } | undefined, callback: Callback<UserSession[]>): void

  /** How many sessions a user has. */
  countOf(user: SessionOwner): Promise<number>
  countOf(user: SessionOwner, callback: Callback<number>): void

  /**
   * Logs a user out everywhere, but for the session `except` (an id); how many sessions that were. A
   * request that is under way with one of them does not bring it back.
   */
  destroyOf(user: SessionOwner, options?: { except?: string | undefined }): Promise<number>
  destroyOf(user: SessionOwner, callback: Callback<number>): void
  destroyOf(user: SessionOwner, options: { except?: string | undefined } | undefined, callback: Callback<number>): void

  /**
   * Removes the session with this digest. With `of`, only if it belongs to this user: for a page on which visitors log out
   * their other devices. Without options it removes the session of any user. The digest is that of `sessionsOf` and of events.
   * A request that is under way with the session does not bring it back. While the old id of a renewal leads to the session, its
   * digest does so, too.
   *
   * @returns true if there was such a session
   * @throws {AerospikeSessionError} `BAD_KEY` if the digest is malformed, or `of` means that a session has no owner, as
   *   `undefined` and `''` do; `BAD_OPTION` if there are options without `of`
   * @example
   * app.post('/logout/:digest', async (req, res) => {
   *   res.json({ removed: await store.destroyByDigest(req.params.digest, { of: req.session.userId }) })
   * })
   */
  destroyByDigest(digest: string, options?: { of: SessionOwner }): Promise<boolean>
  destroyByDigest(digest: string, callback: Callback<boolean>): void
  destroyByDigest(digest: string, options: { of: SessionOwner } | undefined, callback: Callback<boolean>): void

  /**
   * Returns the digest that events and `sessionsOf` show for a session. It costs no request to the cluster.
   *
   * Pass the session object of the request: after a renewal, a request may still come with the old id, whose digest is another.
   * If you pass a session id, this is the digest of the id.
   *
   * @throws {AerospikeSessionError} `BAD_KEY` if the session id cannot be one, or this store has neither loaded nor stored the
   *   session object by its id
   * @example
   * const isThisDevice = session.digest === store.digestOf(req.session)
   */
  digestOf(session: string | object): string

  /**
   * Watches a session, for a web socket or an event stream that has to end with it. Returns at once.
   *
   * The signal aborts at once if this process removes the session, or if the session reaches its end. If another process removes it,
   * the signal aborts at the next check, within `watchInterval` seconds. A cluster that cannot be reached aborts nothing. Closing the store
   * ends its watches, and aborts nothing.
   *
   * A watch does not keep the process alive, and it keeps its store open. See docs/watching.md for what it costs.
   *
   * @throws {AerospikeSessionError} at once: `BAD_KEY` for a wrong id, `BAD_OPTION` for a wrong option, `CLOSED` after `close()`
   * @example
   * const { signal, stop } = store.watch(req.sessionID, { touch: true })
   * signal.addEventListener('abort', () => socket.close(4001, signal.reason))
   * socket.on('close', stop)
   */
  watch(sid: string, options?: WatchOptions): SessionWatch

  /** What has been asked of this client and what came of it, since it was made; costs no request to the cluster. */
  stats(): SessionStoreStats

  /**
   * Resolves once connected; rejects when the attempt to connect fails, with the reason. With option `maxSessionsPerUser`, it
   * also creates the index of users if the login may, and waits for it until `connectTimeout`.
   */
  ready(): Promise<void>
  ready(callback: DoneCallback): void

  /** Closes the store's own client; a lent one stays open. Idempotent. */
  close(): Promise<void>
  close(callback: DoneCallback): void
  [Symbol.asyncDispose](): Promise<void>

  /** A login removed a session because of option `maxSessionsPerUser`. Emitted by the store that carried out the login. */
  on(event: 'evicted', listener: (event: SessionEvent) => void): this
  /** A set found its session gone (a logout, its end), and did not bring it back. */
  on(event: 'gone', listener: (event: SessionEvent) => void): this
  /** A set met another's, and the two were merged after a second read. */
  on(event: 'conflict', listener: (event: SessionEvent) => void): this
  on(event: 'warning', listener: (warning: SessionStoreWarning) => void): this
  /** The cluster can be reached, or can no longer. */
  on(event: 'up' | 'down', listener: () => void): this
  on(event: string | symbol, listener: (...args: any[]) => void): this
  once(event: 'gone' | 'conflict' | 'evicted', listener: (event: SessionEvent) => void): this
  once(event: 'warning', listener: (warning: SessionStoreWarning) => void): this
  once(event: 'up' | 'down', listener: () => void): this
  once(event: string | symbol, listener: (...args: any[]) => void): this
}

/** Options of {@link sessionErrors}. */
export interface SessionErrorsOptions {
  /** Called with each error of a session, and the request. @default `console.error` with its code and message */
  log?: ((error: AerospikeSessionError, req: any) => void) | undefined
}

/**
 * Returns an error handler for Express, for sessions that could not be loaded or stored. It answers with 503 if the same request may succeed
 * a little later (`error.retryable`), else with 500, and with `{ "code": … }` as JSON. It also handles what express-session reports after the
 * answer was sent: then it only logs. Other errors go to the next handler.
 *
 * @example
 * app.use(session({ store, secret, resave: false, saveUninitialized: false }))
 * app.get('/', …)
 * app.use(sessionErrors())
 */
export function sessionErrors(options?: SessionErrorsOptions): (error: any, req: any, res: any, next: (error?: any) => void) => void

/** A request of express-session, as far as a renewal needs it. */
export interface RenewableRequest {
  sessionID: string
  session: any
  sessionStore?: any
}

/** The options of `renew()`. */
export interface RenewOptions {
  /** How long the old id leads to the session, in **seconds**. Default: 30. */
  grace?: number | undefined
}

/** The options of `renewal()`. */
export interface RenewalOptions extends RenewOptions {
  /** A session is renewed if it has had its id for so many **seconds**. Default: 900. */
  every?: number | undefined
}

/**
 * Gives the session of a request a new id, from the application's `genid`. The session keeps its data and its creation time. For
 * `grace` seconds the old id leads to the same session, so that parallel requests of the same browser lose nothing. After that, it
 * leads nowhere. A logout through either id ends the session.
 *
 * Use it with express-session and an `AerospikeStore`. Afterwards `req.sessionID` is the new id and `req.session` is a new object:
 * read `req.session` again if you hold it in a variable. For a login use `req.session.regenerate()` instead: it ends the old id at once.
 *
 * @returns true if this request has a new id now. false if nothing was renewed: the session is new and not stored yet, or has ended, or
 *   another request has renewed it and this one goes on under the old id.
 * @throws {AerospikeSessionError} `BAD_OPTION` for a wrong option or a store of another kind, `BAD_KEY` if `genid` returns an id that
 *   is in use, otherwise as `set`. The request goes on under the old id.
 * @example
 * app.post('/settings/password', async (req, res) => {
 *   await changePassword(req.session.user, req.body)
 *   await renew(req)
 *   res.redirect('/settings')
 * })
 */
export function renew(req: RenewableRequest, options?: RenewOptions): Promise<boolean>
export function renew(req: RenewableRequest, callback: Callback<boolean>): void
export function renew(req: RenewableRequest, options: RenewOptions | undefined, callback: Callback<boolean>): void

/**
 * Creates a middleware that renews the id of a session every `every` seconds, with `renew()`. Mount it after express-session. If a
 * renewal fails, the store emits the warning `RENEWAL_FAILED`, and the request goes on under its id.
 *
 * @throws {AerospikeSessionError} `BAD_OPTION`, at once. `grace` must not be longer than `every`.
 * @example
 * app.use(session({ store, secret, resave: false, saveUninitialized: false }))
 * app.use(renewal({ every: 900, grace: 30 }))
 */
export function renewal(options?: RenewalOptions): (req: any, res: any, next: (error?: any) => void) => void

export default AerospikeStore
