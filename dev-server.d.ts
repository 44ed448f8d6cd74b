/// <reference types="node" />

/** Options of {@link DevServer.start}. */
export interface DevServerOptions {
  /** Address to listen on. @default '127.0.0.1' */
  host?: string
  /** @default 0: any free port */
  port?: number
  /**
   * A file to keep records in: they survive a restart, and a kill, of the server. It is created if
   * need be.
   * @default none: records are kept in memory only
   */
  data?: string
  /**
   * Nodes of the cluster, 1 to 8; further nodes take the ports after `port`.
   * @default 1
   */
  nodes?: number
  /**
   * How many nodes hold each record, as far as there are as many.
   * @default 2
   */
  replicationFactor?: number
  /**
   * Milliseconds that a node may be silent before the others go on without it. Until then what needs
   * that node waits, as with a real cluster.
   * @default 1500: the server's ten heartbeats of 150 ms
   */
  heartbeatTimeout?: number
  /**
   * Milliseconds until the records are where a change of nodes wants them.
   * @default 500
   */
  migrationTime?: number
  /**
   * Memory each namespace may fill with records (its `data-size`): bytes, or a string as `'512m'` or
   * `'2g'`, from 1 MiB on. From 70 % of it on, writes are refused with result code 8, as a real server
   * does (`stop-writes-used-pct`); reads and deletes go on.
   * @default '1g'
   */
  memory?: number | string
  /**
   * Users who must log in, as with the Enterprise Edition.
   * @default none: a login is answered with "security not supported", as by the Community Edition
   */
  security?: DevServerSecurity
  /**
   * TLS on all ports, with certificates made at the start: see {@link DevServer.tls}.
   * @default false
   */
  tls?: boolean | DevServerTlsOptions
}

/** Users who must log in. */
export interface DevServerSecurity {
  /** Passwords by user, of 1 to 63 bytes. */
  users: Record<string, string | DevServerUser>
  /**
   * Life of a session token, in seconds. A client shows it on new connections in place of the
   * password, until the server answers that it has expired; connections it has stay logged in.
   * Clients keep a token for a minute less than it lives, and one of a minute or less until it is
   * refused.
   * @default 86400: the server's `session-ttl`, which may not be less than 120 there
   */
  sessionTtl?: number
}

/** A user of a {@link DevServer}. */
export interface DevServerUser {
  password: string
  /**
   * Predefined roles: `read`, `write`, `read-write`, `read-write-udf`, `truncate`, `sindex-admin`,
   * `udf-admin`, `data-admin`, `sys-admin`, `user-admin`. A `user-admin` makes further users and
   * roles through a client.
   * @default ['read-write', 'data-admin']: all that the stores of this package need
   */
  roles?: string[]
}

export interface DevServerTlsOptions {
  /** Clients need a certificate too: the one in {@link DevServer.tls}. @default false */
  mutual?: boolean
  /**
   * Host names and addresses the server's certificate is for. The first is the TLS name that nodes
   * are announced with.
   * @default ['localhost', '127.0.0.1', '::1']
   */
  names?: string[]
}

/** What a client needs for TLS, as PEM: what to give as option `tls` of a store. */
export interface DevServerTls {
  /** The authority that has signed the server's certificate. */
  ca: string
  /** With mutual TLS: a certificate for the client. */
  cert?: string
  /** With mutual TLS: the key to it. */
  key?: string
}

/** Paths of what a {@link DevServerTls} holds, named as the official Node.js client names them. */
export interface DevServerTlsFiles {
  cafile: string
  certfile?: string
  keyfile?: string
}

/** A node of a {@link DevServer}. */
export interface DevServerNode {
  /** Where clients connect to: `'127.0.0.1:34567'`. */
  address: string
  /** The name clients know it by: sixteen hex digits. */
  name: string
  /** Whether it takes connections. */
  isRunning: boolean
}

/**
 * An in-memory server that speaks Aerospike's wire protocol, for development and tests only.
 *
 * It serves two namespaces: `test`, and `nottl`, which refuses TTLs (`nsup-period 0`). It does not
 * keep the process alive.
 */
export class DevServer {
  private constructor()
  /** Starts a server; resolves when it answers. Rejects if the port or the file cannot be had. */
  static start(options?: DevServerOptions): Promise<DevServer>
  /** `'127.0.0.1:34567'`, all nodes separated by commas: what to give as option `hosts`. */
  readonly hosts: string
  /** The port of the first node. */
  readonly port: number
  /** What a client needs, where TLS is on. */
  readonly tls: Readonly<DevServerTls> | undefined
  /**
   * Writes what a client needs for TLS into `ca.pem` and, with mutual TLS, `cert.pem` and `key.pem`.
   * @param directory made if need be
   */
  writeTlsFiles(directory: string): Promise<DevServerTlsFiles>
  /** Gives a user another password. Tokens and connections the user has stay good. */
  setPassword(user: string, password: string): Promise<void>
  /**
   * Lets all session tokens given out so far expire, as `sessionTtl` would. Connections stay logged
   * in, as on a real server; with `disconnect` all of them are closed too, so that clients come back
   * with an expired token.
   */
  expireSessions(options?: { disconnect?: boolean }): Promise<void>
  /** The nodes, in the order of their numbers. */
  nodes(): Promise<DevServerNode[]>
  /**
   * Stops a node as a kill would: its connections are closed, its records are lost. The others
   * notice after `heartbeatTimeout`; what no other node held is gone. A node that is stopped stays so.
   * @param node its number, from 0
   */
  stopNode(node: number): Promise<void>
  /**
   * Starts a stopped node on the port it had. It joins the others empty and is sent its share of the
   * records. A node that runs goes on.
   */
  startNode(node: number): Promise<void>
  /** Resolves when the nodes know of each other who runs, and every record is where it is to be. */
  settled(): Promise<void>
  /** Stops it and closes every connection. Idempotent. */
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export default DevServer
