'use strict'

// The computations of the benchmark: its pace, its rounds, its medians, and its command line.

const { performance } = require('node:perf_hooks')
const { setTimeout: pass } = require('node:timers/promises')
const { aboveMemory } = require('../../bench/everyday')
const { targets: fairnessTargets } = require('../../bench/fairness')
const { medians, quantiles } = require('../../bench/medians')
const { readOptions } = require('../../bench/options')
const { pace } = require('../../bench/pace')
const { inRounds } = require('../../bench/rounds')
const { makeSession } = require('../../bench/session')
const { describeTarget } = require('../../bench/target')

test('calls start on time even if none has been answered', async () => {
  let resolve
  const promise = new Promise(_resolve => { resolve = _resolve })
  const begun = performance.now()
  let started = 0
  const paced = pace(2, (_, started) => started >= 20, () => {
    if (++started === 20) resolve()
    return promise
  })
  expect(await paced).toBe(20)
  expect(performance.now() - begun).toBeGreaterThanOrEqual(38)
})

test('calls that fell due while the event loop was blocked start late, each with its own due time', async () => {
  const late = []
  let end = Infinity
  const paced = pace(5, due => due > end, async due => { late.push(performance.now() - due) })
  await pass(20)
  const until = performance.now() + 100
  while (performance.now() < until); // blocks
  end = performance.now()
  await paced
  expect(Math.max(...late)).toBeGreaterThan(90)
  expect(late.filter(ms => ms > 20).length).toBeGreaterThan(10)
})

test('a failed call ends the pace', async () => {
  await expect(pace(1, () => false, async () => { throw new Error('no page') })).rejects.toThrow('no page')
})

test('every round measures every store, the warm-up does not count, and each round starts with another store', async () => {
  const turns = []
  const measured = await inRounds(['a', 'b'], 2, async (store, round) => {
    turns.push(`${store}${round}`)
    return round
  })
  expect(turns).toStrictEqual(['a0', 'b0', 'b1', 'a1', 'a2', 'b2'])
  expect(measured).toStrictEqual({ a: [1, 2], b: [1, 2] })
})

test('each number has its own median, and quantiles are those of the sorted numbers', () => {
  expect(medians([{ a: 1, b: 9 }, { a: 3, b: 5 }, { a: 2, b: 7 }])).toStrictEqual({ a: 2, b: 7 })
  expect(quantiles(Float64Array.of(5, 1, 3, 2, 4), [0, 0.5, 1])).toStrictEqual([1, 3, 5])
})

test('CPU above MemoryStore is the difference within a round', () => {
  // The machine is twice as slow in the second round.
  const paced = cpuUs => ({ cpuUs })
  const stores = aboveMemory({ memory: [100, 200, 110].map(paced), map: [150, 300, 165].map(paced) })
  expect(stores.map).toStrictEqual({ cpuUs: 165, aboveUs: 55 })
  expect(stores.memory.aboveUs).toBe(0)
  expect(aboveMemory({ map: [paced(1)] }).map.aboveUs).toBeNaN()
})

test('a target shows by how much it is missed, if a share is meaningful', () => {
  expect(describeTarget({ name: 'x', measured: 3, bound: 2, kind: 'most' })).toBe('MISSED x: 3.00, at most 2.00 (by 50 %)')
  expect(describeTarget({ name: 'x', measured: 3, bound: -1, kind: 'most' })).toBe('MISSED x: 3.00, at most -1.00')
  expect(describeTarget({ name: 'x', measured: 3, bound: 2, kind: 'least' })).toBe('met    x: 3.00, at least 2.00')
})

test('fairness has targets for all rows except the idle one', () => {
  const row = beside => ({ store: 'map', beside, title: beside, measured: { p99: 1, longest: 2 }, longestOfAll: 2 })
  expect(fairnessTargets([row('nothing'), row('all')]).map(({ measured, bound }) => [measured, bound])).toStrictEqual([[1, 20], [2, 100]])
})

test('parts are selected by name', () => {
  expect(readOptions([]).only).toStrictEqual(['stores', 'pages', 'everyday', 'fairness', 'watch', 'limits', 'cache'])
  expect(readOptions(['--only', 'everyday', '--rates', '500'])).toMatchObject({ only: ['everyday'], rates: [500], rounds: 3 })
  expect(readOptions(['--quick', '--rounds', '2'])).toMatchObject({ rounds: 2, seconds: 0.1 })
  expect(() => readOptions(['--only', 'speed'])).toThrow("--only does not know 'speed': it takes stores, pages, everyday, fairness, watch, limits, cache.")
  expect(() => readOptions(['--quick', '--full'])).toThrow('--quick and --full cannot be used together.')
})

test.each([0.5, 4, 32])('a session of %s kB has about that size and a new cookie', size => {
  const session = makeSession(size)
  const bytes = size === 0.5 ? 450 : size * 1_024
  expect(JSON.stringify(session).length).toBeGreaterThan(bytes - 150)
  expect(JSON.stringify(session).length).toBeLessThanOrEqual(bytes + 30)
  expect(session.cookie.expires).toBeInstanceOf(Date)
  expect(makeSession(size)).not.toBe(session)
})
