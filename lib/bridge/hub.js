'use strict'

// The hub: sends requests to the native core and dispatches its answers.
//
// Each request takes a slot, and the core answers with the slot's number. Answers arrive in batches, so that one call from
// native code delivers many. A batch is a flat array: for each answer a number, which is its slot and its kind, followed by
// the values of that kind.

const { AsyncResource } = require('node:async_hooks')
const { elapsed, nextTick, setImmediate } = require('../clock')
const native = require('./native')
const nativeCallback = require('./native-callback')
const { AerospikeSessionError, badData, badOption, fromNative, internal } = require('../errors')
const { inNoContext } = require('./no-context')
const { mayDrive } = require('./platforms')
const { serialize } = require('../options/secrets')

/**
 * @typedef {(handle: StoreHandle, slot: number) => void} Enter passes a request to the core, with the slot for its answer
 * @typedef {import('./native-types').HubHandle} HubHandle
 * @typedef {import('./native-types').StoreHandle} StoreHandle
 * @typedef {(error: Error | null, value?: any) => void} Callback
 * @typedef {(text: string, more?: any) => any} Decode
 * @typedef {{ written: (head: string | null, result?: string) => void, failed: (error: any) => void }} Write receives the result of
 *   a set or touch before its caller does: the head of the next baseline, or the head and the events of a set as JSON, or the error
 * @typedef {{ decode: Decode | Write, settle: (error: Error | null, value: any) => void, store?: StoreHandle }} PendingRequest
 * @typedef {PendingRequest & { note: (node: string | null, batchSize: number) => void, setResult: (result: string) => void }} TracedRequest
 */

// The kinds of answers, in the lowest bits of their numbers. src/bridge/answer_values.rs has the same list.
const KIND_BITS = 4
const [DONE, MISSING, TRUE, FALSE, COUNT, /* TEXT */, BASELINE, BASELINE_META, SET_RESULT, ERROR, NOTICE, TRACE, PIECE, MORE] = Array(14).keys()
/** The number of values of each kind. */
const VALUES = [0, 0, 0, 0, 1, 1, 2, 1, 1, 1, 1, 2, 1, 0]
/** The bit of the slot that marks a traced request. */
const TRACED = 1 << 27

/** A pending request with a callback. The callback runs in the AsyncLocalStorage context of the call. */
class CallbackRequest extends AsyncResource {
  #callback
  /** @type {StoreHandle | undefined} */
  store

  /**
   * @param {Callback} callback
   * @param {Decode | Write} decode
   */
  constructor (callback, decode) {
    super('AerospikeSession')
    this.#callback = callback
    this.decode = decode
  }

  /**
   * @param {Error | null} error
   * @param {any} value
   */
  settle (error, value) {
    if (error !== null) this.runInAsyncScope(this.#callback, undefined, error)
    else if (value === undefined) this.runInAsyncScope(this.#callback, undefined, null)
    else this.runInAsyncScope(this.#callback, undefined, null, value)
  }
}

/** A pending request with a promise. Promises keep the AsyncLocalStorage context by themselves. */
class PromiseRequest {
  #resolve
  #reject
  /** @type {StoreHandle | undefined} */
  store

  /**
   * @param {(value: any) => void} resolve
   * @param {(error: Error) => void} reject
   * @param {Decode | Write} decode
   */
  constructor (resolve, reject, decode) {
    this.#resolve = resolve
    this.#reject = reject
    this.decode = decode
  }

  /**
   * @param {Error | null} error
   * @param {any} value
   */
  settle (error, value) {
    if (error !== null) this.#reject(error)
    else this.#resolve(value)
  }
}

/** The listener for a store's notices. It keeps its slot. */
class NoticeListener {
  #listener
  decode = JSON.parse

  /** @param {(notice: any) => void} listener */
  constructor (listener) {
    this.#listener = listener
  }

  /**
   * @param {Error | null} _error
   * @param {any} value
   */
  settle (_error, value) {
    this.#listener(value)
  }
}

/** @type {(PendingRequest | undefined)[]} */
const slots = []
/** @type {number[]} */
const free = []

/** @param {PendingRequest} waiting */
function acquire (waiting) {
  const slot = free.pop() ?? slots.length
  slots[slot] = waiting
  return slot
}

/** @param {number} slot */
function release (slot) {
  slots[slot] = undefined
  free.push(slot)
}

/**
 * Dispatches a batch of answers.
 *
 * An error that a callback throws is not caught: it is an uncaught exception like any other. The rest of the batch is
 * dispatched in a later turn of the event loop.
 *
 * @param {any[]} batch
 * @param {number} [from]
 */
function dispatch (batch, from = 0) {
  let next = from
  try {
    while (next < batch.length) {
      const number = batch[next]
      const slot = number >>> KIND_BITS
      const kind = number & ((1 << KIND_BITS) - 1)
      const first = batch[next + 1]
      next += 1 + VALUES[kind]
      if (kind === MORE) {
        setImmediate(takeMore)
        continue
      }
      const waiting = slots[slot]
      if (waiting === undefined) continue
      // A request has one answer, which frees its slot. Notices and traces do not free it.
      if (kind < NOTICE) {
        release(slot)
        finished()
      }
      switch (kind) {
        case DONE: waiting.settle(null, undefined); break
        case MISSING: waiting.settle(null, null); break
        case TRUE: waiting.settle(null, true); break
        case FALSE: waiting.settle(null, false); break
        case COUNT: waiting.settle(null, first); break
        case ERROR: failed(waiting, fromNative(first)); break
        case BASELINE_META: written(waiting, first); break
        case SET_RESULT: written(waiting, null, first); break
        case TRACE: /** @type {TracedRequest} */ (waiting).note(first, batch[next - 1]); break
        // Settled in the order of arrival. The answer follows the last piece.
        case PIECE: settleLater(new ListPiece(waiting), first); break
        default: {
          const more = kind === BASELINE ? batch[next - 1] : undefined
          if (first.length + (more?.length ?? 0) < LARGE && !lists.has(waiting)) settleText(waiting, first, more)
          else settleLater(waiting, first, more)
        }
      }
    }
  } finally {
    if (next < batch.length) setImmediate(dispatch, batch, next)
  }
}

/** Takes the remaining answers from the core, in a turn of its own. */
function takeMore () {
  // Large answers are not taken faster than they are parsed.
  if (large.length > 0) setImmediate(takeMore)
  else if (hub !== undefined) dispatch(native.takeMore(hub))
}

/**
 * @param {PendingRequest} waiting
 * @param {string | null} head
 * @param {string} [result]
 */
function written (waiting, head, result) {
  if (typeof waiting.decode !== 'function') waiting.decode.written(head, result)
  if (result !== undefined && 'setResult' in waiting) /** @type {any} */ (waiting).setResult(result)
  waiting.settle(null, undefined)
}

/**
 * @param {PendingRequest} waiting
 * @param {Error} error
 */
function failed (waiting, error) {
  if (typeof waiting.decode !== 'function') waiting.decode.failed(error)
  waiting.settle(error, undefined)
}

// Large answers. Parsing one takes a millisecond or more, so the event loop gets a turn after a few, and small answers go first.
/** Text of at least this many characters is large. */
const LARGE = 32 * 1_024
/** Milliseconds of parsing per turn of the event loop. */
const AT_ONE_GO = 1
/** @type {[waiting: PendingRequest, text: string, more: string | undefined][]} */
let large = []

/**
 * @param {PendingRequest} waiting
 * @param {string} text
 * @param {string} [more]
 */
function settleLater (waiting, text, more) {
  if (large.push([waiting, text, more]) === 1) setImmediate(settleLarge)
}

// Lists that arrive in pieces.
/** The items received so far; undefined if a piece could not be parsed. @type {Map<PendingRequest, any[] | undefined>} */
const lists = new Map()

/** Receives one piece of a list for the pending request. */
class ListPiece {
  /** @param {PendingRequest} waiting */
  constructor (waiting) {
    this.waiting = waiting
    this.decode = waiting.decode
    if (!lists.has(waiting)) lists.set(waiting, [])
  }

  /**
   * @param {Error | null} error
   * @param {any[]} items
   */
  settle (error, items) {
    const list = lists.get(this.waiting)
    if (error !== null) lists.set(this.waiting, undefined)
    else if (list !== undefined) for (const item of items) list.push(item)
  }
}

/**
 * Returns the whole list when its last piece has arrived.
 * @param {PendingRequest} waiting
 * @param {any[]} last
 */
function joinPieces (waiting, last) {
  const list = lists.get(waiting)
  lists.delete(waiting)
  if (list === undefined) throw new SyntaxError()
  for (const item of last) list.push(item)
  return list
}

function settleLarge () {
  const until = elapsed() + AT_ONE_GO
  let done = 0
  try {
    do settleText(...large[done++])
    while (done < large.length && elapsed() < until)
  } finally {
    // A callback may throw. The rest is settled anyway.
    large = large.slice(done)
    if (large.length > 0) setImmediate(settleLarge)
  }
}

/**
 * @param {PendingRequest} waiting
 * @param {string} text
 * @param {string} [more]
 */
function settleText (waiting, text, more) {
  let value
  try {
    value = /** @type {Decode} */ (waiting.decode)(text, more)
    if (lists.has(waiting)) value = joinPieces(waiting, value)
  } catch (error) {
    lists.delete(waiting)
    // Without the cause, because V8 quotes the text that it could not parse. The application's `reviver` may have failed instead.
    return waiting.settle(error instanceof AerospikeSessionError ? error : badData('what is stored is not valid JSON'), undefined)
  }
  waiting.settle(null, value)
}

// One hub serves all stores. It closes with the last open store, so that nothing is left behind.
/** @type {HubHandle | undefined} */
let hub
let stores = 0

/** The handle that native code calls. It holds `dispatch` weakly while nothing is in flight. */
const dispatcher = nativeCallback.handle(dispatch)
/** The number of requests in flight. */
let inFlight = 0

function started () {
  if (++inFlight === 1) dispatcher.hold()
}

function finished () {
  if (--inFlight === 0) dispatcher.release()
}

/**
 * Opens a store in the core.
 *
 * @param {import('../options/options').ClusterOptions} cluster
 * @param {import('../options/options').ViewOptions} view
 * @param {(notice: any) => void} listener receives the store's notices
 */
function openStore (cluster, view, listener) {
  hub ??= inNoContext(() => native.openHub(dispatcher.call, mayDrive()))
  const notices = acquire(new NoticeListener(listener))
  try {
    const handle = native.openStore(hub, notices, JSON.stringify(cluster), serialize(view))
    stores += 1
    return { handle, notices }
  } catch (error) {
    release(notices)
    // Rust rejects some certificates and keys that Node.js accepts.
    throw error instanceof Error && 'code' in error && error.code === 'InvalidArg' ? badOption(error.message) : error
  }
}

/**
 * Frees what `openStore` took. Call it after all requests have been answered.
 * @param {{ notices: number }} store
 */
function closeStore ({ notices }) {
  release(notices)
  stores -= 1
  if (stores === 0 && hub !== undefined) {
    native.closeHub(hub)
    hub = undefined
  }
}

/**
 * Makes a request. Returns a promise of its answer if there is no callback.
 *
 * @param {Enter} enter calls an entry point of the core
 * @param {StoreHandle} handle
 * @param {Callback | undefined} callback
 * @param {Decode | Write} decode turns a text answer into its value
 * @returns {Promise<any> | undefined}
 */
function request (enter, handle, callback, decode) {
  if (callback === undefined) {
    return new Promise((resolve, reject) => submit(enter, handle, new PromiseRequest(resolve, reject, decode)))
  }
  submit(enter, handle, new CallbackRequest(callback, decode))
}

/**
 * Makes a request that is traced: the core also reports the node that answered it, and the size of the batch.
 *
 * @param {Enter} enter
 * @param {StoreHandle} handle
 * @param {TracedRequest} traced
 */
function submitTraced (enter, handle, traced) {
  submit(enter, handle, traced, TRACED)
}

/**
 * @param {Enter} enter
 * @param {StoreHandle} handle
 * @param {PendingRequest} waiting
 * @param {number} [flags] bits of the slot
 */
function submit (enter, handle, waiting, flags = 0) {
  const slot = acquire(waiting)
  started()
  // A request holds its store. An unreferenced store closes when it is garbage collected, but not before it has answered.
  waiting.store = handle
  try {
    enter(handle, slot | flags)
  } catch {
    // The core rejected the arguments, or it panicked. The error is dropped because its message may contain session data.
    // The slot is not reused: a late answer must not settle another request.
    slots[slot] = undefined
    finished()
    nextTick(() => failed(waiting, internal()))
  }
}

/**
 * Fails a request asynchronously without calling the core.
 *
 * @param {Error} error
 * @param {Callback | undefined} callback
 * @returns {Promise<never> | undefined}
 */
function fail (error, callback) {
  if (callback === undefined) return Promise.reject(error)
  nextTick(callback, error)
}

/**
 * Answers a request asynchronously without calling the core.
 *
 * @param {any} value
 * @param {Callback | undefined} callback
 * @returns {Promise<any> | undefined}
 */
function answer (value, callback) {
  if (callback === undefined) return Promise.resolve(value)
  nextTick(callback, null, value)
}

module.exports = { openStore, closeStore, request, submitTraced, fail, answer, native }
