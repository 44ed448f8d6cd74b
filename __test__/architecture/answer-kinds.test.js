'use strict'

// src/bridge/answer_values.rs encodes answers as numbers and values, and lib/bridge/hub.js decodes them. Both have the same list of kinds.

const fs = require('node:fs')
const path = require('node:path')

const read = file => fs.readFileSync(path.join(__dirname, '../..', file), 'utf8')
const native = read('src/bridge/answer_values.rs')
const facade = read('lib/bridge/hub.js')

const WORDS = { None: 0, Undefined: 0, Null: 0, One: 1, Two: 2 }

/** The kinds in Rust: name and number of values. The comment of each kind starts with the number; without a comment it is 0. */
function nativeKinds () {
  const [, body] = /enum Kind \{\n([^}]*)\}/.exec(native)
  return [...body.matchAll(/(?: {4}\/\/\/ (\w+)\b[^\n]*\n(?: {4}\/\/\/[^\n]*\n)*)? {4}(\w+) = (\d+),/g)].map(([, word, name, number]) => {
    return { name: name.replace(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase(), number: Number(number), values: word === undefined ? 0 : WORDS[word] }
  })
}

function facadeKinds () {
  const [, names] = /const \[([^\]]+)\] = Array\(\d+\)\.keys\(\)/.exec(facade)
  const [, values] = /const VALUES = \[([^\]]+)\]/.exec(facade)
  const counts = values.split(',').map(Number)
  return names.split(',').map((name, number) => ({ name: name.replaceAll(/[^A-Z_]/g, ''), number, values: counts[number] }))
}

test('Rust and JavaScript have the same kinds of answers', () => {
  expect(nativeKinds().length).toBeGreaterThan(10)
  expect(facadeKinds()).toStrictEqual(nativeKinds())
})

test.each([
  ['the number of bits of a kind', /const KIND_BITS: u32 = (\d+);/, /const KIND_BITS = (\d+)\n/],
  ['the bit of a slot that marks a traced request', /const TRACED: u32 = 1 << (\d+);/, /const TRACED = 1 << (\d+)\n/]
])('both sides agree on %s', (_name, rust, javascript) => {
  expect(javascript.exec(facade)[1]).toBe(rust.exec(native)[1])
})
