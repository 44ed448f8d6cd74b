'use strict'

// How the JavaScript side of the hub dispatches batches. The test creates the batches; src/bridge/answer_values.rs has the kinds.

const KIND = { DONE: 0, TEXT: 5, PIECE: 12, MORE: 13 }
const KIND_BITS = 4
const mockNative = { dispatch: undefined, takeMore: jest.fn() }
jest.mock('../../lib/bridge/native', () => ({
  openHub (dispatch) {
    mockNative.dispatch = dispatch
    return {}
  },
  openStore: () => ({}),
  closeHub () {},
  takeMore: () => mockNative.takeMore()
}))
const hub = require('../../lib/bridge/hub')

let store
beforeAll(() => { store = hub.openStore({}, {}, () => {}) })
afterAll(() => hub.closeStore(store))
beforeEach(() => mockNative.takeMore.mockReset())

/** Makes a request. Returns its slot and a promise of its answer. */
function request (decode = JSON.parse) {
  let slot
  const answer = hub.request((_handle, taken) => { slot = taken }, store.handle, undefined, decode)
  return { slot, answer, number: kind => (slot << KIND_BITS) | kind }
}

/** Blocks the event loop until a timer of 0 ms is due. */
function untilTimersAreDue () {
  const begun = performance.now()
  while (performance.now() < begun + 5);
}

test('takes the rest after a batch in a later turn, and timers run in between', async () => {
  const order = []
  const [first, second, third] = [1, 2, 3].map(() => request())
  const batches = [[KIND.MORE, second.number(KIND.DONE)], [third.number(KIND.DONE)]]
  mockNative.takeMore.mockImplementation(() => {
    const left = batches.length
    order.push(`asked for ${left}`)
    setTimeout(() => order.push(`timer of ${left}`), 0)
    untilTimersAreDue()
    return batches.shift()
  })
  mockNative.dispatch([KIND.MORE, first.number(KIND.DONE)])
  order.push('handed over')
  await Promise.all([first, second, third].map(({ answer }) => answer))
  expect(order).toEqual(['handed over', 'asked for 2', 'timer of 2', 'asked for 1'])
  await new Promise(resolve => setTimeout(resolve, 10))
  expect(mockNative.takeMore).toHaveBeenCalledTimes(2)
})

test('takes no more answers before the large ones have been parsed', async () => {
  const large = JSON.stringify('v'.repeat(40_000))
  const parsed = []
  const slow = text => {
    expect(mockNative.takeMore).not.toHaveBeenCalled()
    untilTimersAreDue()
    return parsed.push(text.length)
  }
  const requests = [1, 2, 3].map(() => request(slow))
  mockNative.takeMore.mockReturnValue([])
  mockNative.dispatch([KIND.MORE, ...requests.flatMap(one => [one.number(KIND.TEXT), large])])
  await Promise.all(requests.map(({ answer }) => answer))
  expect(parsed).toHaveLength(3)
  await new Promise(resolve => setTimeout(resolve, 10))
  expect(mockNative.takeMore).toHaveBeenCalledTimes(1)
})

test('a piece that cannot be parsed fails only its list', async () => {
  const [broken, whole, next] = [1, 2, 3].map(() => request())
  mockNative.dispatch([
    broken.number(KIND.PIECE), '[1]', whole.number(KIND.PIECE), '[1,2]', broken.number(KIND.PIECE), '',
    broken.number(KIND.PIECE), '[3]', whole.number(KIND.PIECE), '[3]', whole.number(KIND.TEXT), '[4]', broken.number(KIND.TEXT), '[4]'
  ])
  await expect(broken.answer).rejects.toMatchObject({ code: 'BAD_DATA' })
  expect(await whole.answer).toEqual([1, 2, 3, 4])
  // The next list in the slot starts empty.
  mockNative.dispatch([next.number(KIND.PIECE), '[5]', next.number(KIND.TEXT), '[6]'])
  expect(await next.answer).toEqual([5, 6])
})
