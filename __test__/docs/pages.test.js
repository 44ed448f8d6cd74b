'use strict'

// Checks README.md and docs/. Every fenced block is run, or checked as far as possible. Every link has a target. No option is
// missing. A block that cannot be run here has a comment before it that names the test, or the reason:
//
//     <!-- tested by __test__/some.test.js -->      that file has to name the page
//     <!-- not run: why -->                          counted below

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { execFile, fork, spawn, spawnSync } = require('node:child_process')
const { once } = require('node:events')
const { promisify } = require('node:util')
const { DevServer } = require('../../exports/dev-server')
const { parseFault } = require('../../lib/dev-server/faults')
const { ask } = require('../../lib/dev-server/dev-server-client')
const mermaid = require('../support/mermaid')
const serverConfig = require('../support/server-config')
const { ROOT, anchorsOf, blocksOf, folderFor, linksOf, pages, textOf } = require('../support/pages')
const { commandsOf } = require('../support/shell')

const run = promisify(execFile)
const PACKAGE = require('../../package.json')

/** The number of blocks with `not run: why`, by page. If the list grows, write a better test. */
const NOT_RUN = {}

/** What a page needs in addition to the usual values. */
const PAGES = {
  'docs/connecting.md': { users: { ada: 'secret' } }
}

const all = pages().flatMap(blocksOf)
const isOurs = block => block.note === undefined || !/^(tested by|not run:)/.test(block.note)
const of = (...languages) => all.filter(block => isOurs(block) && languages.includes(block.language))
const at = ({ page, line }) => `${page}:${line}`

const folders = []
afterAll(() => { for (const folder of folders) fs.rmSync(folder, { recursive: true }) })
function folderOf (page) {
  const folder = folderFor(page)
  folders.push(folder)
  return folder
}

describe('every block', () => {
  const LANGUAGES = ['js', 'ts', 'sh', 'json', 'yaml', 'conf', 'python', 'mermaid', 'text']

  test('is of a kind that is checked here, or names its test', () => {
    const others = all.filter(block => isOurs(block) && !LANGUAGES.includes(block.language))
    expect(others.map(block => `${at(block)} ${block.language}`)).toStrictEqual([])
  })

  test('that another test covers is named in that test', () => {
    const elsewhere = all.flatMap(block => {
      const test = /^tested by (\S+)$/.exec(block.note ?? '')?.[1]
      return test === undefined ? [] : [{ block, test: path.join(ROOT, test) }]
    })
    const isNamed = ({ block, test }) => fs.existsSync(test) && fs.readFileSync(test, 'utf8').includes(path.basename(block.page))
    expect(elsewhere.filter(one => !isNamed(one)).map(({ block }) => at(block))).toStrictEqual([])
  })

  test('that is not run gives the reason, and there are few', () => {
    const notRun = {}
    for (const { page, note } of all) if (/^not run: ./.test(note ?? '')) notRun[page] = (notRun[page] ?? 0) + 1
    expect(notRun).toStrictEqual(NOT_RUN)
  })
})

describe('JavaScript', () => {
  const byPage = group(of('js'))

  /** The answers of a site, by page and line. */
  const SERVED = { 'README.md': ['200 Visit number 1', '200 Visit number 2'] }

  test.each([...byPage].filter(([, blocks]) => blocks.some(({ file }) => file === undefined)))('of %s runs as written', async (page, blocks) => {
    const child = fork(path.join(__dirname, '../support/run-blocks.js'), { silent: true })
    let errorOutput = ''
    child.stderr.on('data', data => { errorOutput += data })
    child.send({ blocks: blocks.filter(({ file }) => file === undefined), folder: folderOf(page), ...PAGES[page] })
    const ended = once(child, 'exit')
    const [outcomes] = await Promise.race([once(child, 'message'), ended.then(() => [[{ error: `it ended: ${errorOutput}` }]])])
    await ended
    expect(outcomes.filter(({ error }) => error !== undefined)).toStrictEqual([])
    if (SERVED[page] !== undefined) expect(outcomes.flatMap(({ served }) => served)).toStrictEqual(SERVED[page])
  }, 60_000)

  test.each([...byPage].filter(([, blocks]) => blocks.some(({ file }) => /\.test\.js$/.test(file ?? ''))))('in files of %s passes its own tests', async (page, blocks) => {
    const folder = folderOf(page)
    const jest = path.join(path.dirname(require.resolve('jest/package.json')), 'bin/jest.js')
    const config = { testEnvironment: 'node', moduleNameMapper: { '^aerospike-session$': ROOT, '^aerospike-session/(.+)$': `${ROOT}/exports/$1` } }
    const args = [jest, '--ci', '--runInBand', '--rootDir', folder, '--config', JSON.stringify(config)]
    const child = spawn(process.execPath, args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
    let errorOutput = ''
    child.stderr.on('data', data => { errorOutput += data })
    const [code] = await once(child, 'close')
    const tests = blocks.filter(({ file }) => /\.test\.js$/.test(file ?? '')).flatMap(({ code }) => code.match(/^test\(/gm) ?? []).length
    expect({ code, errorOutput }).toMatchObject({ code: 0, errorOutput: expect.stringMatching(new RegExp(`Tests: +${tests} passed, ${tests} total`)) })
    expect(errorOutput).not.toMatch(/did not exit|open handle/)
  }, 120_000)

  test('in files is used by a block of its page or by a test here', () => {
    const unused = of('js', 'ts').filter(({ page, file }) => {
      if (file === undefined || /\.test\.js$/.test(file)) return false
      const name = file.replace(/\.\w+$/, '')
      return !of('js', 'ts').some(other => other.page === page && other.code.includes(`./${name}'`)) && !HERE.includes(`${page} ${file}`)
    })
    expect(unused.map(at)).toStrictEqual([])
  })
})

test('no example sends a session id to the browser', () => {
  const files = fs.readdirSync(path.join(ROOT, 'examples'), { recursive: true }).map(name => `examples/${name}`).filter(name => /\.m?js$/.test(name))
  const sources = [
    ...all.filter(({ language }) => ['js', 'ts'].includes(language)).map(block => [at(block), block.code]),
    ...files.map(file => [file, textOf(file)])
  ]
  const sends = /\b(res|reply|response|c)\.(json|send|end|write|render|html|text|body|set|header)\(.*\b(sessionI[dD]|session\.id)\b|\bctx\.body *=.*\b(sessionI[dD]|session\.id)\b/
  expect(sources.filter(([, code]) => code.split('\n').some(line => sends.test(line.replace('except: req.sessionID', '')))).map(([where]) => where)).toStrictEqual([])
})

function group (blocks) {
  const groups = new Map()
  for (const block of blocks) groups.set(block.page, [...groups.get(block.page) ?? [], block])
  return groups
}

/** Files that other tests run: __test__/docs/migrating.test.js. */
const HERE = ['docs/migrating.md before.js', 'docs/migrating.md after.js', 'docs/migrating.md moving.js']

test('TypeScript has the right types', async () => {
  const blocks = of('ts')
  if (blocks.length === 0) return
  const folder = folderOf('typescript')
  const globals = [
    "import { AerospikeStore as Store, SessionStore as Sessions } from 'aerospike-session'",
    "import type { Express } from 'express'",
    'declare global { const app: Express, store: Store, sessions: Sessions }'
  ]
  fs.writeFileSync(path.join(folder, 'globals.d.ts'), globals.join('\n'))
  const files = blocks.map(({ page, line, code }) => {
    const file = path.join(folder, `${page.replace(/\W/g, '-')}-${line}.ts`)
    fs.writeFileSync(file, `${code}\nexport {}\n`)
    return file
  })
  const tsc = require.resolve('typescript/bin/tsc')
  const options = ['--noEmit', '--strict', '--skipLibCheck', '--target', 'es2023', '--module', 'nodenext', '--types', 'node', '--esModuleInterop']
  const outcome = await run(process.execPath, [tsc, ...options, path.join(folder, 'globals.d.ts'), ...files]).catch(error => error)
  expect(outcome.stdout).toBe('')
}, 60_000)

describe('commands', () => {
  let server
  beforeAll(async () => { server = await DevServer.start() })
  afterAll(() => server.stop())

  const helpOf = (() => {
    const known = new Map()
    return async (script, args = []) => {
      const key = [script, ...args].join(' ')
      if (!known.has(key)) known.set(key, (await run(process.execPath, [script, ...args, '--help'], { cwd: ROOT })).stdout)
      return known.get(key)
    }
  })()

  /** Scripts with options. */
  const isScriptOf = name => /^(?:exec )?node (\S+)$/.exec(PACKAGE.scripts[name] ?? '')?.[1]

  async function npm ([verb, ...args]) {
    if (['ci', 'start', 'test'].includes(verb)) return
    if (verb === 'install') {
      const ours = [PACKAGE.name, ...Object.keys({ ...PACKAGE.devDependencies, ...PACKAGE.peerDependencies })]
      const strange = args.filter(name => !name.startsWith('-') && !ours.includes(name))
      return strange.length === 0 ? undefined : `npm install of ${strange}`
    }
    if (verb !== 'run') return `npm ${verb}`
    const [name, ...rest] = args.filter(arg => arg !== '--' && arg !== '--silent')
    if (PACKAGE.scripts[name] === undefined) return `there is no script ${name}`
    const options = rest.filter(arg => arg.startsWith('--'))
    if (options.length === 0) return
    const help = await helpOf(isScriptOf(name))
    return options.find(option => !help.includes(option))
  }

  /** Runs the package's command: commands that set faults run on a dev server, and the options of the others must exist. */
  async function own (args) {
    const bin = path.join(ROOT, 'bin/aerospike-session.js')
    if (args[0] === 'fault') {
      const ours = args.map(arg => /^localhost:\d+$/.test(arg) ? server.hosts : arg)
      return run(process.execPath, [bin, ...ours]).then(() => undefined, error => error.stderr)
    }
    for (const [n, arg] of args.entries()) if (arg === '--fault') parseFault(args[n + 1])
    return run(process.execPath, [bin, ...args, '--help']).then(() => undefined, error => error.stderr)
  }

  const CHECKS = {
    npm,
    npx: async ([name, ...args]) => name === PACKAGE.name ? own(args) : PACKAGE.devDependencies[name] === undefined ? `npx ${name}` : undefined,
    node: async ([first, ...rest]) => {
      if (['-p', '-e'].includes(first)) return run(process.execPath, [first, ...rest]).then(() => undefined, error => error.stderr)
      return fs.existsSync(path.join(ROOT, first)) ? undefined : `there is no ${first}`
    },
    cargo: async ([verb]) => ['bench', 'build', 'test', 'clippy', 'fmt', 'deny', 'fuzz', 'install', 'run'].includes(verb) ? undefined : `cargo ${verb}`,
    git: async () => undefined,
    cd: async () => undefined,
    // Info commands of a server's own tool are sent to the dev server.
    asinfo: async args => {
      const command = args[args.indexOf('-v') + 1]
      const answer = await infoOf(server.hosts, command)
      return /^(ERROR|FAIL)/i.test(answer) ? answer : undefined
    },
    // Checked as a whole below.
    openssl: async () => undefined,
    base64: async () => undefined
  }

  test.each(of('sh').map(block => [at(block), block]))('at %s exist', async (_, { code }) => {
    const { status, stderr } = spawnSync('bash', ['-n'], { input: code, encoding: 'utf8' })
    expect({ status, stderr }).toStrictEqual({ status: 0, stderr: '' })
    for (const [name, ...args] of commandsOf(code)) {
      expect(Object.keys(CHECKS)).toContain(name)
      expect({ command: [name, ...args].join(' '), fault: await CHECKS[name](args) }).toMatchObject({ fault: undefined })
    }
  }, 60_000)

  const hasOpenssl = spawnSync('openssl', ['version']).status === 0
  ;(hasOpenssl ? test : test.skip)('that create a pin create the right one', async () => {
    const secure = await DevServer.start({ tls: true })
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'aerospike-session-'))
    folders.push(folder)
    fs.writeFileSync(path.join(folder, 'node.pem'), secure.tls.ca)
    await secure.stop()
    const { code } = all.find(({ code, language }) => language === 'sh' && code.startsWith('openssl x509'))
    expect(spawnSync('bash', ['-c', code], { cwd: folder, encoding: 'utf8' }).stdout).toMatch(/^[A-Za-z0-9+/]{43}=\n$/)
  })
})

/** Sends an info command to the server and returns the answer. */
async function infoOf (address, command) {
  const { exchange } = require('../../lib/dev-server/dev-server-client')
  const answer = await exchange(address, command)
  return answer.slice(answer.indexOf('\t') + 1).trimEnd()
}

describe('configuration and data', () => {
  test.each(of('conf').map(block => [at(block), block]))('of a server at %s has only settings of server 8.1', (_, { code }) => {
    expect(serverConfig.faultOf(code)).toBeUndefined()
  })

  test('is valid JSON and YAML', () => {
    for (const { code } of of('json')) expect(() => JSON.parse(code)).not.toThrow()
    for (const { code } of of('yaml')) expect(() => require('js-yaml').load(code)).not.toThrow()
  })
})

describe('Python', () => {
  const hasPython = spawnSync('python3', ['--version']).status === 0

  test.each(of('python').map(block => [at(block), block]))('at %s compiles, and a dev server answers its requests', async (_, { code }) => {
    if (hasPython) expect(spawnSync('python3', ['-c', 'import ast, sys; ast.parse(sys.stdin.read())'], { input: code, encoding: 'utf8' }).stderr).toBe('')
    const server = await DevServer.start()
    try {
      for (const [, command] of code.matchAll(/'dev-server:(\{.*?\})'/g)) await ask(server.hosts, JSON.parse(command))
    } finally {
      await server.stop()
    }
  })
})

describe('diagrams', () => {
  test.each(of('mermaid').map(block => [at(block), block]))('at %s has a structure that Mermaid accepts', (_, { code }) => {
    expect(mermaid.faultOf(code)).toBeUndefined()
  })

  test.each([
    ['flowchart TD\nA --> B\nend', 'an end too many'],
    ['flowchart TD\nsubgraph x["y"]\nA --> B', 'an end is missing'],
    ['flowchart TD\nA[no quotes] --> B', 'not understood: A[no quotes] --> B'],
    ['sequenceDiagram\nparticipant A\nA->>B: hello', 'no participant B: A->>B: hello'],
    ['sequenceDiagram\nparticipant A\nA->>A: one; two', 'a text with ; or #: A->>A: one; two'],
    ['sequenceDiagram\nparticipant A\nA=>A: hello', 'not understood: A=>A: hello'],
    ['pie title x', 'not known here: pie title x']
  ])('%j is rejected', (code, fault) => {
    expect(mermaid.faultOf(code)).toBe(fault)
  })
})

describe('links', () => {
  test.each(pages())('of %s have targets', page => {
    const isDead = ({ to, anchor }) => {
      if (!fs.existsSync(path.join(ROOT, to))) return true
      return anchor !== undefined && to.endsWith('.md') && !anchorsOf(to).includes(anchor)
    }
    expect(linksOf(page).filter(isDead)).toStrictEqual([])
  })

  test('from README.md reach every page of docs/ in one or two steps', () => {
    const first = linksOf('README.md').map(({ to }) => to)
    const second = first.filter(to => to.endsWith('.md') && fs.existsSync(path.join(ROOT, to))).flatMap(to => linksOf(to).map(({ to }) => to))
    expect(pages().filter(page => page !== 'README.md' && ![...first, ...second].includes(page))).toStrictEqual([])
  })
})

test('README.md fits on one screen', () => {
  expect(textOf('README.md').split('\n').length).toBeLessThan(90)
})

test('every fault in docs/testing.md is valid', () => {
  const faults = [...textOf('docs/testing.md').matchAll(/(?:--fault|localhost:3000) '([^']+)'/g)].map(([, fault]) => parseFault(fault))
  expect(faults.map(({ kind }) => kind)).toStrictEqual(['latency', 'code', 'freeze'])
})
