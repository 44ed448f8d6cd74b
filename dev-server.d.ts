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
   * Memory each namespace may fill with records (its `data-size`): bytes, or a string as `'512m'` or
   * `'2g'`, from 1 MiB on. From 70 % of it on, writes are refused with result code 8, as a real server
   * does (`stop-writes-used-pct`); reads and deletes go on.
   * @default '1g'
   */
  memory?: number | string
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
  /** `'127.0.0.1:34567'`: what to give as option `hosts`. */
  readonly hosts: string
  readonly port: number
  /** Stops it and closes every connection. Idempotent. */
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export default DevServer
