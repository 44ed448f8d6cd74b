// The types of the native binding, as `src/bridge/` defines it. Private.

declare const hub: unique symbol
declare const store: unique symbol
declare const devServer: unique symbol

/** An opaque N-API external. */
export interface HubHandle { [hub]: never }
export interface StoreHandle { [store]: never }
export interface DevServerHandle { [devServer]: never }

/** An operation on a store. Its answer arrives through the hub, with the slot's number. */
export type Entry = (store: StoreHandle, slot: number, ...args: any[]) => void

export interface Native {
  openHub(dispatch: (batch: any[]) => void, mayDrive: boolean): HubHandle
  /** Returns the answers that are still waiting. */
  takeMore(hub: HubHandle): any[]
  closeHub(hub: HubHandle): void
  openStore(hub: HubHandle, noticeSlot: number, cluster: string, view: string): StoreHandle
  openView(store: StoreHandle, view: string): StoreHandle
  openLimits(store: StoreHandle, view: string): StoreHandle
  giveCredentials(store: StoreHandle, request: number, user: string, password: string, failure?: string): void

  stats(store: StoreHandle): string
  ready: Entry
  info: Entry
  close: Entry

  save: Entry
  get: Entry
  touch: Entry
  remove: Entry
  has: Entry

  load: Entry
  set: Entry
  renew: Entry
  refresh: Entry
  destroy: Entry
  destroyByDigest: Entry
  digestOf(store: StoreHandle, id: string): string

  watch(store: StoreHandle, number: number, id: string, touch: boolean): void
  unwatch(store: StoreHandle, number: number): void

  all: Entry
  ids: Entry
  length: Entry
  clear: Entry
  prune: Entry
  createUserIndex: Entry
  sessionsOf: Entry
  countOf: Entry
  destroyOf: Entry

  // These take what `openLimits` returns.
  consume: Entry
  increment: Entry
  decrement: Entry
  peek: Entry
  reset: Entry
  resetAll: Entry

  startDevServer(options: string): Promise<DevServerHandle>
  devServerTls(server: DevServerHandle): string | null
  controlDevServer(server: DevServerHandle, command: string): Promise<string>
  stopDevServer(server: DevServerHandle): Promise<void>
}
