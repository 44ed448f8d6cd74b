'use strict'

// Requests to the native core, and its answers.
//
// Each request takes a slot; the core answers with the slot's number. Answers arrive in batches, as a flat array: of each
// a number, its slot and its kind, and then the values of that kind. One crossing from native code for many.

const { AsyncResource } = require('node:async_hooks')
const { elapsed, nextTick, setImmediate } = require('../clock')
const native = require('./native')
const nativeCallback = require('./native-callback')
const { badData, badOption, fromNative, internal } = require('../errors')
const { inNoContext } = require('./no-context')
const { mayDrive } = require('./platforms')
const { serialize } = require('../options/secrets')

/**
 * @typedef {import('./native-types').Entry} Entry
 * @typedef {import('./native-types').HubHandle} HubHandle
 * @typedef {import('./native-types').StoreHandle} StoreHandle
 * @typedef {(error: Error | null, value?: any) => void} Callback
 * @typedef {(text: string, more?: any) => any} Decode
 * @typedef {{ written: (head: string | null, result?: string) => void, failed: (error: any) => void }} Write receives the result of
 *   a set or touch before its caller does: the head of the next baseline; or, as JSON, the head and the events of a set; or the error
 * @typedef {{ decode: Decode | Write, settle: (error: Error | null, value: any) => void, store?: StoreHandle }} PendingRequest
 * @typedef {PendingRequest & { note: (node: string | null, together: number) => void, setResult: (result: string) => void }} TracedRequest
 */

// The kinds of answers, in the lowest bits of their numbers: src/bridge/answer_values.rs has the same list.
const KIND_BITS = 4
const [DONE, MISSING, TRUE, FALSE, COUNT, /* TEXT */, BASELINE, HEAD, SET_RESULT, ERROR, NOTICE, TRACE, PIECE, MORE] = Array(14).keys()
/** How many values follow the number, by kind. */
const VALUES = [0, 0, 0, 0, 1, 1, 2, 1, 1, 1, 1, 2, 1, 0]
/** A bit of the slot that is passed to the core: the request is traced. */
const TRACED = 1 << 27

/** Who waits with a callback: called in the AsyncLocalStorage context it was given in. */
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

/** Who waits with a promise; promises keep the context by themselves. */
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

/** Who listens to a store's notices; keeps its slot. */
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
 * Hands out a batch of answers.
 *
 * Callbacks run outside any try of ours, so what one throws is an uncaught exception like any
 * other; the rest of its batch is handed out in a turn of its own.
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
      // A request has one answer. Notices and traces leave its slot acquired.
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
        case HEAD: written(waiting, first); break
        case SET_RESULT: written(waiting, null, first); break
        case TRACE: /** @type {TracedRequest} */ (waiting).note(first, batch[next - 1]); break
        // In the order they came in, and the answer after them.
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

/** Asks for answers that were left, in a turn of its own. */
function takeMore () {
  // What is large comes no faster than it is parsed.
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

// Large answers. Parsing one takes a millisecond or more: the event loop has a turn after a few, and small answers go first.
/** Characters from which on a text is large. */
const LARGE = 32 * 1_024
/** Milliseconds of parsing at one go. */
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

// Lists that come in pieces.
/** What there is of them by now; undefined: a piece could not be read. @type {Map<PendingRequest, any[] | undefined>} */
const lists = new Map()

/** Takes a piece of a list, in the place of who waits for all of it. */
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
 * The joinPieces list, of which the last piece is there.
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
    // A callback may throw: the rest is handed out all the same.
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
  } catch {
    lists.delete(waiting)
    // Without the cause: V8 quotes what it could not parse.
    return waiting.settle(badData('what is stored is not valid JSON'), undefined)
  }
  waiting.settle(null, value)
}

// One hub serves all stores. It is there while one of them is open, so that closing the last one
// leaves nothing behind.
/** @type {HubHandle | undefined} */
let hub
let stores = 0

/** The handle that native code calls. It holds `dispatch` weakly while nothing is in flight. */
const dispatcher = nativeCallback.handle(dispatch)
/** Requests that are not answered yet. */
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
    // Certificates and keys that JavaScript can read and Rust cannot.
    throw error instanceof Error && 'code' in error && error.code === 'InvalidArg' ? badOption(error.message) : error
  }
}

/**
 * The other end of `openStore`, after everything has been answered.
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
 * Makes a request: a promise of its answer if there is no callback.
 *
 * @param {Entry} entry one of the core's entry points
 * @param {StoreHandle} handle
 * @param {Callback | undefined} callback
 * @param {Decode | Write} decode makes the answer of its text, where it is text
 * @param {any} [a]
 * @param {any} [b]
 * @param {any} [c]
 * @param {any} [d]
 * @param {any} [e]
 * @param {any} [f]
 * @param {any} [g]
 * @param {any} [h]
 * @returns {Promise<any> | undefined}
 */
function request (entry, handle, callback, decode, a, b, c, d, e, f, g, h) {
  if (callback === undefined) {
    return new Promise((resolve, reject) => {
      submit(entry, handle, new PromiseRequest(resolve, reject, decode), a, b, c, d, e, f, g, h)
    })
  }
  submit(entry, handle, new CallbackRequest(callback, decode), a, b, c, d, e, f, g, h)
}

/**
 * @param {Entry} entry
 * @param {StoreHandle} handle
 * @param {PendingRequest} waiting
 * @param {any} [a]
 * @param {any} [b]
 * @param {any} [c]
 * @param {any} [d]
 * @param {any} [e]
 * @param {any} [f]
 * @param {any} [g]
 * @param {any} [h]
 */
function submit (entry, handle, waiting, a, b, c, d, e, f, g, h) {
  const slot = acquire(waiting)
  started()
  // A request holds its store: one that nobody else holds is closed when it is garbage, and not before it has answered.
  waiting.store = handle
  try {
    entry(handle, slot, a, b, c, d, e, f, g, h)
  } catch {
    // The arguments did not get across, or the core has panicked; in what words is nobody's business, they may hold
    // data. The slot is lost: should there be an answer to it after all, it must not be another's.
    slots[slot] = undefined
    finished()
    nextTick(() => failed(waiting, internal()))
  }
}

/**
 * Makes a request that is traced: the core also reports the node that answered it, and the size of the batch.
 *
 * @param {Entry} entry
 * @param {StoreHandle} handle
 * @param {TracedRequest} traced
 * @param {any[]} args
 */
function submitTraced (entry, handle, traced, ...args) {
  submit((handle, slot, ...args) => entry(handle, slot | TRACED, ...args), handle, traced, ...args)
}

/**
 * Fails without asking the core: the same way, and just as asynchronously.
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
 * Answers without asking the core.
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
