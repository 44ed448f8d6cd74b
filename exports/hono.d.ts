import { FrameworkStore, FrameworkStoreOptions } from './framework'

export type HonoStoreOptions = FrameworkStoreOptions

/** A session as hono-sessions has it. */
export interface HonoSessionData<T = any> {
  _id?: string
  _data: Record<string, { value: T, flash: boolean }>
  /** ISO 8601; `null`: the store's `ttl` decides. */
  _expire: string | null
  _delete: boolean
  _accessed: string | null
}

/**
 * The store for hono-sessions: `sessionMiddleware({ store: new HonoStore(), expireAfterSeconds: 1800 })`.
 *
 * What is persisted of a session that this store gave, or created, is what changed, and only if the session is still
 * there. The values of `_data` are kept under their own names, as other frameworks and languages have them.
 */
export class HonoStore extends FrameworkStore {
  constructor(options?: HonoStoreOptions)

  /** The session, `_expire` being when it really ends; `null` for none. */
  getSessionById(id?: string): Promise<HonoSessionData | null>

  /** Stores a new session until `_expire`, or for `ttl`. */
  createSession(id: string, data: HonoSessionData): Promise<void>

  /** Stores a session until `_expire`, or for `ttl`. One that is gone meanwhile is not brought back: `store` emits `gone`. */
  persistSessionData(id: string, data: HonoSessionData): Promise<void>

  /** Removes a session; no error if there is none. */
  deleteSession(id: string): Promise<void>
}

export default HonoStore
