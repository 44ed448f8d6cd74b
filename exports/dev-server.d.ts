/// <reference types="node" />

/** Options of {@link DevServer.start}. */
export interface DevServerOptions {
  /** Address to listen on. @default '127.0.0.1' */
  host?: string | undefined
  /** @default 0: any free port */
  port?: number | undefined
  /**
   * A file to keep records in: they survive a restart, and a kill, of the server. It is created if
   * need be. If it is damaged, the server keeps it as `FILE.damaged-1` (or with the next free number),
   * starts with everything that it can read, and reports that in {@link DevServer.warnings}.
   * @default none: records are kept in memory only
   */
  data?: string | undefined
  /**
   * Nodes of the cluster, 1 to 8; further nodes take the ports after `port`.
   * @default 1
   */
  nodes?: number | undefined
  /**
   * How many nodes hold each record, as far as there are as many.
   * @default 2
   */
  replicationFactor?: number | undefined
  /**
   * Milliseconds that a node may be silent before the others go on without it. Until then what needs
   * that node waits, as with a real cluster.
   * @default 1500: the server's ten heartbeats of 150 ms
   */
  heartbeatTimeout?: number | undefined
  /**
   * Milliseconds until the records are where a change of nodes wants them.
   * @default 500
   */
  migrationTime?: number | undefined
  /**
   * Memory each namespace may fill with records (its `data-size`): bytes, or a string as `'512m'` or
   * `'2g'`, from 1 MiB on. From 70 % of it on, writes are refused with result code 8, as a real server
   * does (`stop-writes-used-pct`); reads and deletes go on.
   * @default '1g'
   */
  memory?: number | string | undefined
  /** The name of the cluster, 1 to 63 bytes: its `cluster-name`. @default none */
  clusterName?: string | undefined
  /**
   * The racks the nodes stand in (`rack-id`), one number for each node, as with the Enterprise Edition.
   * @default none: clients that ask are told that there are no racks, as by the Community Edition
   */
  racks?: ReadonlyArray<number> | undefined
  /**
   * Users who must log in, as with the Enterprise Edition.
   * @default none: a login is answered with "security not supported", as by the Community Edition
   */
  security?: DevServerSecurity | undefined
  /**
   * TLS on all ports, with certificates made at the start: see {@link DevServer.tls}.
   * @default false
   */
  tls?: boolean | DevServerTlsOptions | undefined
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
  sessionTtl?: number | undefined
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
  roles?: string[] | undefined
}

export interface DevServerTlsOptions {
  /** Clients need a certificate too: the one in {@link DevServer.tls}. @default false */
  mutual?: boolean | undefined
  /**
   * Host names and addresses the server's certificate is for. The first is the TLS name that nodes
   * are announced with.
   * @default ['localhost', '127.0.0.1', '::1']
   */
  names?: string[] | undefined
  /** When the server's certificate begins to be valid. @default long ago */
  validFrom?: Date | undefined
  /** When it ends: to see what a client says of one that has expired. @default in centuries */
  validTo?: Date | undefined
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
 * What a fault can strike: `read` (also an operate that only reads), `write` (everything that
 * changes bins), `touch` (only more life), `delete`, `batch` (whatever its rows are), `query` (also a
 * scan), `info` (how clients connect and look after the nodes), `login`; `any`: all of them. A batch is
 * also what its rows are: with `'read'` a batch is delayed, or its connection lost, that has a read in it.
 */
export type FaultOperation = 'read' | 'write' | 'touch' | 'delete' | 'batch' | 'query' | 'info' | 'login' | 'any'

/**
 * When a fault strikes a request: before anything is done; after it was carried out, before it is
 * answered; when half of the answer is sent.
 */
export type FaultWhen = 'before' | 'after' | 'midReply'

/** What every fault takes. */
export interface AnyFaultOptions {
  /** The number of the one node it strikes, 0 the first. @default all nodes */
  node?: number | undefined
  /** Milliseconds after which it is over. At most a day. @default until it is taken back */
  lasts?: number | undefined
}

/** Which requests a fault strikes. It counts only those it does strike. */
export interface RequestFaultOptions extends AnyFaultOptions {
  namespace?: string | undefined
  set?: string | undefined
  /**
   * The key of the one record it strikes: a session's key is the store's `prefix` and the session id.
   */
  key?: string | number | undefined
  /** It is over after so many strikes. @default it never is */
  times?: number | undefined
  /** Of the requests it could strike, the share it does: more than 0, at most 1. @default 1 */
  probability?: number | undefined
  /** What chance starts from: the same seed gives the same faults. @default any; `faults()` tells which */
  seed?: number | undefined
}

/** Waits. */
export interface LatencyFault extends RequestFaultOptions {
  kind: 'latency'
  /** Milliseconds. At most a day. */
  ms: number
  /** Up to so many milliseconds more, by chance. @default 0 */
  jitter?: number | undefined
  /** @default all but `info` and `login` */
  on?: FaultOperation | readonly FaultOperation[] | undefined
  /** @default 'before' */
  when?: FaultWhen | undefined
}

/**
 * Loses the connection: `drop` closes it (FIN), `reset` resets it (RST), `silent` keeps it open and
 * never says anything on it again.
 */
export interface ConnectionFault extends RequestFaultOptions {
  kind: 'drop' | 'reset' | 'silent'
  /** @default all but `info` and `login` */
  on?: FaultOperation | readonly FaultOperation[] | undefined
  /** @default 'before' */
  when?: FaultWhen | undefined
}

/** Answers with a result code. In a batch only the rows that it strikes fail. */
export interface CodeFault extends RequestFaultOptions {
  kind: 'code'
  /**
   * Its number, 1 to 255, or its name in the server's `proto.h` without `AS_ERR_`: `'TIMEOUT'`,
   * `'KEY_BUSY'`, `'DEVICE_OVERLOAD'`, `'FORBIDDEN'`, ...
   */
  code: number | string
  /**
   * With `'batch'` the whole batch fails.
   * @default read, write, touch, delete and query, also as rows of a batch
   */
  on?: Exclude<FaultOperation, 'info' | 'login' | 'any'> | ReadonlyArray<Exclude<FaultOperation, 'info' | 'login' | 'any'>> | undefined
  /** `'after'`: the command is carried out all the same. @default 'before' */
  when?: 'before' | 'after' | undefined
}

/**
 * A device that cannot keep up: writes and touches, also as rows of a batch, are refused with
 * DEVICE_OVERLOAD (18); reads and deletes go on, as on a Community Edition server.
 */
export interface OverloadFault extends RequestFaultOptions {
  kind: 'overload'
}

/**
 * The state of a node. `refuse`: its port is closed, who connects is refused, who is connected
 * stays; counted once, when the port is closed. `freeze`: as SIGSTOP; counts the requests it held.
 */
export interface NodeFault extends AnyFaultOptions {
  kind: 'refuse' | 'freeze'
}

/** A fault, for {@link DevServer.inject}. */
export type FaultOptions = LatencyFault | ConnectionFault | CodeFault | OverloadFault | NodeFault

/** A fault that is set. What was not asked for is `null`. */
export interface FaultInfo {
  id: number
  kind: FaultOptions['kind']
  /** How many times it struck. */
  struck: number
  /** Whether it will not strike again: it struck `times`, or its time is over. */
  isOver: boolean
  node: number | null
  lasts: number | null
  on: FaultOperation[] | null
  namespace: string | null
  set: string | null
  key: string | number | null
  times: number | null
  probability: number | null
  seed: number | null
  ms: number | null
  jitter: number | null
  when: FaultWhen | null
  code: number | null
}

/** A fault that is set, and can be taken back. */
export interface Fault {
  readonly id: number
  /**
   * How many times it struck; with `atLeast`, as soon as it did so often, or is over.
   * Rejects once {@link DevServer.clearFaults} has taken the fault back.
   */
  struck(atLeast?: number): Promise<number>
  /** Takes it back; how many times it struck. */
  remove(): Promise<number>
}

/** Settings of a namespace that can change while it runs. Those left out stay as they are. */
export interface NamespaceSettings {
  /** Seconds between sweeps of expired records; 0: never, and writes with a TTL are refused with FORBIDDEN (22). */
  nsupPeriod?: number | undefined
  /** Take TTLs although `nsupPeriod` is 0. */
  allowTtlWithoutNsup?: boolean | undefined
  /** Seconds; the TTL of writes that ask for the default. 0: none. */
  defaultTtl?: number | undefined
  /** Bytes, 64 to 8 MiB. */
  maxRecordSize?: number | undefined
  /** Percent, 0 to 100, see the server's `default-read-touch-ttl-pct`. */
  defaultReadTouchTtlPct?: number | undefined
}

/**
 * An in-memory server that speaks Aerospike's wire protocol, for development and tests only.
 *
 * It serves two namespaces: `test`, and `nottl`, which refuses TTLs (`nsup-period 0`). It does not
 * keep the process alive.
 *
 * Programs in other languages set faults through the info command `dev-server:JSON`, which any
 * Aerospike client can send; it is answered by JSON, or by `ERROR:4:reason`, also while the node is
 * frozen. The commands are `{"command":"inject","fault":{...}}`, `{"command":"faults"}`,
 * `{"command":"struck","id":1,"atLeast":0}`, `{"command":"clearFault","id":1}`,
 * `{"command":"clearFaults"}` and `{"command":"configure","namespace":"test","settings":{...}}`, with
 * the fields that the methods here take and give. On the command line: `aerospike-session fault`.
 */
export class DevServer {
  private constructor()
  /** Starts a server; resolves when it answers. Rejects if the port or the file cannot be had. */
  static start(options?: DevServerOptions): Promise<DevServer>
  /** `'127.0.0.1:34567'`, all nodes separated by commas: what to give as option `hosts`. */
  readonly hosts: string
  /** The port of the first node. */
  readonly port: number
  /**
   * What you should know about the start, as sentences: that the file of option `data` was damaged. Each
   * is also a process warning of type `AerospikeSessionWarning` and code `DATA_DAMAGED`.
   */
  readonly warnings: readonly string[]
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
  expireSessions(options?: { disconnect?: boolean | undefined }): Promise<void>
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
  /**
   * Sets a fault; resolves when it is in force. Of several faults that strike one request those set
   * first strike first, until one ends the connection.
   * Rejects with `BAD_OPTION` what makes no sense.
   */
  inject(fault: FaultOptions): Promise<Fault>
  /** The faults that are set, those that are over included. */
  faults(): Promise<FaultInfo[]>
  /** Takes all faults back. */
  clearFaults(): Promise<void>
  /**
   * Stops a node as SIGSTOP does, or all of them: connections are taken and stay, nothing is read or
   * answered.
   */
  freeze(node?: number): Promise<Fault>
  /**
   * Takes back every `freeze`, or those set for this node; what was sent meanwhile is now carried
   * out, also where the client has given up.
   */
  thaw(node?: number): Promise<void>
  /** Changes the settings of a running namespace, as the server's info command `set-config` does. */
  configure(namespace: string, settings: NamespaceSettings): Promise<void>
  /** Stops it and closes every connection. Idempotent. */
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export default DevServer
