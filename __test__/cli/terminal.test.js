'use strict'

// The command line escapes text from outside, so that a terminal does not interpret it and nothing is invisible. Such text is in
// session ids, names of nodes and namespaces, answers of a server, file names, and pasted arguments.

const fc = require('fast-check')
const fs = require('node:fs')
const net = require('node:net')
const os = require('node:os')
const path = require('node:path')
const { once } = require('node:events')
const { printable, printableJson } = require('../../lib/printable')
const { CLI, ended, launch, run } = require('../support/cli')
const { cleanups } = require('../support/opened')
const { startRewritingServer } = require('../support/proxied-server')
const { freshSet, hosts, openStore } = require('../support/server')

// Some tests run several processes, one after the other.
jest.setTimeout(60_000)

/** First and last code points. */
const HARMFUL = [
  [0x00, 0x1f], [0x7f, 0x9f], // C0, DEL, C1
  [0x061c, 0x061c], [0x200e, 0x200f], [0x202a, 0x202e], [0x2066, 0x2069], // bidirectional text
  [0x2028, 0x2029], // line and paragraph separators
  [0xad, 0xad], [0x034f, 0x034f], [0x115f, 0x1160], [0x180e, 0x180e], [0x200b, 0x200d], [0x2060, 0x2064], [0x206a, 0x206f], [0x3164, 0x3164],
  [0xfe00, 0xfe0f], [0xfeff, 0xfeff], [0xffa0, 0xffa0], [0xfff9, 0xfffb], [0xe0001, 0xe0001], [0xe0020, 0xe007f], [0xe0100, 0xe01ef] // unseen
].flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, n) => String.fromCodePoint(first + n)))
const LONE_SURROGATES = ['\ud800', '\udbff', '\udc00', '\udfff']
/** Would colour the rest if a terminal interpreted it. */
const EVIL = `${HARMFUL.join('')}\u001b[31m\u009b31m`
/** The same for command lines and file names. */
const EVIL_ARGUMENT = EVIL.replaceAll('\0', '')
/** The same within an answer of a node, whose syntax uses tabs, line feeds and colons. */
const EVIL_ANSWER = EVIL.replaceAll(/[\0\t\n]/g, '')

const harmfulIn = text => [...text].filter(character => HARMFUL.includes(character) || LONE_SURROGATES.includes(character))
/** Returns the lines of output, and checks that none has harmful characters. */
function expectHarmless (text) {
  expect(harmfulIn(text.replaceAll('\n', '')).map(character => character.codePointAt(0).toString(16))).toStrictEqual([])
}
/** Checks that the harmful text is shown escaped instead of removed. */
const expectShown = text => expect([text.includes('\\u202e'), text.includes('\\u009b31m')]).toStrictEqual([true, true])

test('shows the number of each harmful character', () => {
  expect(printable('a\u001b[2Jb\nc\u009b\u202e\u{e0041}')).toBe('a\\u001b[2Jb\\u000ac\\u009b\\u202e\\udb40\\udc41')
  for (const character of [...HARMFUL, ...LONE_SURROGATES]) {
    expect(printable(`a${character}b`)).toBe(`a${character.split('').map(unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')}b`)
  }
})

test('keeps text without such characters unchanged', () => {
  for (const text of ['', 'sess-abc123', 'ünïcödé 漢字 עברית 😀 \u{10ffff}', '"\\/ C:\\new', '✔ • ✖']) expect(printable(text)).toBe(text)
})

describe('for any text', () => {
  const character = fc.oneof(
    fc.constantFrom(...HARMFUL, ...LONE_SURROGATES, '"', '\\', 'u', '9', 'b'),
    fc.integer({ min: 0, max: 0xffff }).map(code => String.fromCharCode(code)),
    fc.integer({ min: 0x10000, max: 0x10ffff }).map(point => String.fromCodePoint(point))
  )
  const text = fc.string({ unit: character, maxLength: 40 })
  const value = fc.letrec(tie => ({
    value: fc.oneof({ maxDepth: 3 }, text, fc.constantFrom(null, true, 1.5), fc.array(tie('value'), { maxLength: 3 }), fc.dictionary(text, tie('value'), { maxKeys: 3 }))
  })).value

  test('a line has no harmful characters, and is escaped once', () => {
    fc.assert(fc.property(text, text => {
      const line = printable(text)
      expect(harmfulIn(line)).toStrictEqual([])
      expect(printable(line)).toBe(line)
    }), { numRuns: 2_000 })
  })

  test('JSON has no harmful characters and parses to the same value', () => {
    fc.assert(fc.property(value, fc.constantFrom(undefined, 2), (value, indent) => {
      const json = printableJson(value, indent)
      expectHarmless(json)
      expect(JSON.stringify(JSON.parse(json))).toBe(JSON.stringify(value))
    }), { numRuns: 2_000 })
  })
})

test('sessions list prints ids without harmful characters, and exact ids as JSON', async () => {
  const set = freshSet()
  const store = openStore({ set, storeIds: true })
  const ids = ['plain', EVIL, ...HARMFUL.map(character => `one ${character}`)]
  await Promise.all(ids.map(id => store.set(id, { cookie: {} })))
  const where = ['--hosts', hosts(), '--set', set]
  const lines = await run(['sessions', 'list', ...where])
  expect({ code: lines.code, err: lines.err }).toEqual({ code: 0, err: '' })
  expectHarmless(lines.out)
  expect(lines.out.split('\n').filter(Boolean).sort()).toStrictEqual(ids.map(printable).sort())
  const json = await run(['sessions', 'list', ...where, '--json'])
  expectHarmless(json.out)
  expect(JSON.parse(json.out).ids.sort()).toStrictEqual([...ids].sort())
})

describe('nodes with harmful characters in their names and settings', () => {
  async function start () {
    const server = await startRewritingServer((command, value) => {
      switch (command) {
        case 'node': return `BB9${EVIL_ANSWER}`
        case 'build': case 'edition': return value + EVIL_ANSWER
        case 'namespaces': return `${value};evil${EVIL_ANSWER}`
        case 'sets/test/sessions': return `objects=1${EVIL_ANSWER}`
        default: return /^namespace\//.test(command) ? value.replace('nsup-period=', `nsup-period=0${EVIL_ANSWER}`) : value
      }
    })
    cleanups.push(() => server.stop())
    return server
  }

  test.each([[[]], [['--namespace', 'shop']]])('are reported by the doctor without harmful characters: %j', async args => {
    const { hosts } = await start()
    const { out, err } = await run(['doctor', '--rounds', '1', '--hosts', hosts, ...args])
    expect(err).toBe('')
    expectHarmless(out)
    expectShown(out)
  })

  test('are reported by the doctor as JSON with the same values', async () => {
    const { hosts } = await start()
    const { out } = await run(['doctor', '--rounds', '1', '--json', '--hosts', hosts])
    expectHarmless(out)
    const { facts: { nodes: [node] } } = JSON.parse(out)
    expect(node).toMatchObject({ name: `BB9${EVIL_ANSWER}`, edition: expect.stringContaining(EVIL_ANSWER) })
    expect(node.namespaces).toContain(`evil${EVIL_ANSWER}`)
  })

  test('are escaped in the output of NODE_DEBUG', async () => {
    const { hosts } = await start()
    const { code, err } = await run(['sessions', 'count', '--hosts', hosts], { env: { NODE_DEBUG: 'aerospike-session' } })
    expect(code).toBe(0)
    expectHarmless(err)
    expectShown(err)
  })
})

describe('a server that is not a dev server', () => {
  /** Answers every info command with this text. */
  async function listen (answer) {
    const server = net.createServer(socket => {
      socket.on('error', () => {})
      socket.on('data', () => {
        const text = Buffer.from(`dev-server:\t${answer}\n`)
        const header = Buffer.alloc(8)
        header.set([2, 1])
        header.writeUIntBE(text.length, 2, 6)
        socket.write(Buffer.concat([header, text]))
      })
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    cleanups.push(() => server.close())
    return `127.0.0.1:${server.address().port}`
  }

  test('its faults are printed without harmful characters', async () => {
    const fault = { id: EVIL, kind: `drop${EVIL}`, struck: EVIL, isOver: false, set: EVIL, key: EVIL, [EVIL]: EVIL }
    const { code, out, err } = await run(['fault', await listen(JSON.stringify([fault])), '--list'])
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expectHarmless(out)
    expectShown(out)
  })

  test.each([`ERROR:4:${EVIL_ANSWER}`, '\u009b31m\u202e'])('its errors are printed without harmful characters (%#)', async answer => {
    const { out, err } = await run(['fault', await listen(answer), 'drop'])
    expect(out).toBe('')
    expectHarmless(err)
    expect(err).toMatch(/^aerospike-session: .*\n$/)
    expectShown(err)
  })
})

describe('file names and pasted arguments', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'aerospike-session-'))
  afterAll(() => fs.rmSync(folder, { recursive: true }))

  test('are printed by a dev server without harmful characters', async () => {
    const file = path.join(folder, 'data\u202e\u009b31m\u001b[31m\u2028\n')
    const child = launch(process.execPath, [CLI, 'dev-server', '--port', '0', '--data', file])
    const end = ended(child)
    await once(child.stdout, 'data')
    child.kill('SIGTERM')
    const { out } = await end
    expectHarmless(out)
    expect(out).toMatch(/^Aerospike dev server on \S+, records kept in .*\n$/)
    expectShown(out)
  })

  test.each([
    [['dev-server', '--port', '0', '--data', path.join(folder, 'missing', 'data\u202e\u009b31m')]],
    [['dev-server', EVIL_ARGUMENT]],
    [['dev-server', '--port', '0', '--fault', `drop ${EVIL_ARGUMENT}`]],
    [['dev-server', '--port', '0', '--host', EVIL_ARGUMENT]],
    [[EVIL_ARGUMENT]],
    [[`--${EVIL_ARGUMENT}`]],
    [['fault', '127.0.0.1:1', `drop ${EVIL_ARGUMENT}`]],
    [['fault', `${EVIL_ARGUMENT.replaceAll(/\s/g, '')}:1`, '--list']],
    [['sessions', EVIL_ARGUMENT]],
    [['sessions', 'count', EVIL_ARGUMENT]],
    [['sessions', 'count', '--hosts', `${EVIL_ARGUMENT.replaceAll(/\s/g, '')}.invalid`, '--timeout', '500']],
    [['doctor', EVIL_ARGUMENT]],
    [['doctor', '--tls-ca', EVIL_ARGUMENT]],
    [['doctor', '--hosts', `${EVIL_ARGUMENT.replaceAll(/\s/g, '')}.invalid`, '--timeout', '500']],
    [['doctor', '--json', '--hosts', `${EVIL_ARGUMENT.replaceAll(/\s/g, '')}.invalid`, '--timeout', '500']]
  ])('are printed without harmful characters by a command that fails (%#)', async args => {
    const { code, out, err } = await run(args)
    expect(code).toBeGreaterThan(0)
    expectHarmless(out)
    expectHarmless(err)
    expect(out + err).not.toBe('')
    if (err !== '') expect(err).toMatch(/^aerospike-session: .*\n$/)
  })
})

test('commands print only through lib/cli/output.js', () => {
  const root = path.join(__dirname, '../..')
  const files = ['bin', 'lib/cli', 'lib/cli/sessions', 'lib/doctor', 'lib/doctor/checks'].flatMap(folder => fs.readdirSync(path.join(root, folder)).map(name => `${folder}/${name}`))
  const printing = files.filter(file => {
    return file.endsWith('.js') && file !== 'lib/cli/output.js' && /\bconsole\.|process\.std(out|err)\.write/.test(fs.readFileSync(path.join(root, file), 'utf8'))
  })
  expect(printing).toStrictEqual([])
})
