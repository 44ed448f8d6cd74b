'use strict'

// Keys of the data that are not strings, as clients of other languages write them. JSON shows them as strings. A change or a
// removal affects the existing key.

const { AerospikeStore, SessionStore } = require('../..')
const { cookie: lasting } = require('../support/cookie')
const { OfficialClient } = require('../support/official-client')
const { freshSet, hosts, openSessions, openStore } = require('../support/server')

let official
beforeAll(async () => { official = await OfficialClient.connect(hosts()) })
afterAll(() => official.close())

const NAMES = [-1, 1, 7, 8, 9, 10, '-1', '1', '7', '8', '9', '10', 'x', 'new']

/** Returns the data with the keys in their own types. */
async function mapOf (set, id) {
  const { size, found } = await official.mapOf(['test', set, id], 'data', NAMES)
  expect(found.size).toBe(size)
  return found
}

describe.each([['merge', {}], ['storeIds', { storeIds: true }], ['tombstones', { tombstones: true }], ['absoluteTtl', { absoluteTtl: 3_600 }]])('integer keys, with %s', (_, options) => {
  const set = freshSet()
  const store = openStore({ set, ...options })
  const dataOf = id => mapOf(set, id)
  const write = (id, entries) => official.put(['test', set, id], { data: new Map(entries) }, 600)

  test('are read as strings, and stay unchanged when another key changes', async () => {
    await write('a', [[7, 'seven'], [-1, 'minus'], ['x', 'y']])
    const loaded = await store.get('a')
    expect(loaded).toMatchObject({ 7: 'seven', '-1': 'minus', x: 'y' })
    loaded.x = 'z'
    await store.set('a', loaded)
    expect(await dataOf('a')).toStrictEqual(new Map([[-1, 'minus'], [7, 'seven'], ['x', 'z']]))
  })

  test('are changed in place repeatedly, and removed', async () => {
    await write('b', [[7, 'seven'], [8, 'eight'], ['x', 'y']])
    const loaded = await store.get('b')
    for (const value of ['changed', 'again']) {
      loaded['8'] = value
      await store.set('b', loaded)
      expect(await dataOf('b')).toStrictEqual(new Map([[7, 'seven'], [8, value], ['x', 'y']]))
    }
    delete loaded['7']
    loaded.new = 1
    await store.touch('b', loaded)
    await store.set('b', loaded)
    expect(await dataOf('b')).toStrictEqual(new Map([[8, 'again'], ['x', 'y'], ['new', 1]]))
    const { cookie, ...data } = await store.get('b')
    expect(data).toStrictEqual({ 8: 'again', new: 1, x: 'y' })
  })

  test('next to a string key of the same digits become one key with a change', async () => {
    await write('c', [[7, 'integer'], ['7', 'text']])
    const loaded = await store.get('c')
    loaded['7'] = 'changed'
    await store.set('c', loaded)
    expect((await store.get('c'))['7']).toBe('changed')
    expect(await dataOf('c')).toStrictEqual(new Map([[7, 'changed']]))
    delete loaded['7']
    await store.set('c', loaded)
    expect(await store.get('c')).not.toHaveProperty('7')
  })

  test('a key of digits that the application adds is a string', async () => {
    await store.set('d', { cookie: lasting(60_000), 9: 'nine' })
    const loaded = await store.get('d')
    loaded['10'] = 'ten'
    await store.set('d', loaded)
    expect(await dataOf('d')).toStrictEqual(new Map([['9', 'nine'], ['10', 'ten']]))
  })
})

test('two requests that change different keys, one of them an integer, lose no change', async () => {
  const set = freshSet()
  const client = openSessions({ set })
  const store = new AerospikeStore({ client })
  await official.put(['test', set, 'a'], { data: new Map([[1, 'one'], ['x', 'y']]) }, 600)
  const [one, two] = [await store.get('a'), await store.get('a')]
  one['1'] = 'changed'
  two.x = 'changed'
  await store.set('a', one)
  await store.set('a', two)
  expect(await mapOf(set, 'a')).toStrictEqual(new Map([[1, 'changed'], ['x', 'changed']]))
  expect(client).toBeInstanceOf(SessionStore)
})
