import { FrameworkStore, FrameworkStoreOptions } from './framework'

export type ReactRouterStoreOptions = FrameworkStoreOptions

/** What `createSessionStorage` returns, as far as `guard` needs to know. */
export interface GuardedStorage {
  getSession(...args: any[]): Promise<any>
  commitSession(session: any, ...args: any[]): Promise<string>
}

/**
 * The store for React Router and Remix:
 * `const sessions = new ReactRouterStore()`,
 * `sessions.guard(createSessionStorage({ cookie, ...sessions }))`.
 */
export class ReactRouterStore extends FrameworkStore {
  constructor(options?: ReactRouterStoreOptions)

  /** Stores a new session until `expires`, or for `ttl`. Its id: 24 random bytes in base64url. */
  createData: (data: object, expires?: Date) => Promise<string>

  /** The data, or `null` for a session that does not exist or has ended. */
  readData: (id: string) => Promise<any>

  /**
   * Stores a session until `expires`, or for `ttl`: in a guarded storage what changed since it was read, and only if
   * it is still there; otherwise the whole of it, whatever is there.
   */
  updateData: (id: string, data: object, expires?: Date) => Promise<void>

  /** Removes a session; no error if there is none. */
  deleteData: (id: string) => Promise<void>

  /**
   * The same storage, but one that remembers what each session was loaded as: parallel requests do not lose what the
   * other changed, and a session that was logged out meanwhile does not come back (`store` emits `gone`).
   */
  guard<S extends GuardedStorage>(storage: S): S
}

export default ReactRouterStore
