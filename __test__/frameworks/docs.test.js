'use strict'

// docs/frameworks.md shows the code of the examples, and its own example behaves like them.

const fs = require('node:fs')
const path = require('node:path')
const { blocksOf, pages, textOf } = require('../support/pages')
const { testExample, testProduction } = require('../support/site')

const ROOT = path.join(__dirname, '../..')
const page = fs.readFileSync(path.join(ROOT, 'docs/frameworks.md'), 'utf8')
const blocks = [...page.matchAll(/^```js\n\/\/ (\S+)\n([^]*?)^```$/gm)].map(([, name, code]) => [name, code])

test.each(blocks.filter(([name]) => name.startsWith('examples/')))('the code of %s is in that file', (name, code) => {
  expect(fs.readFileSync(path.join(ROOT, name), 'utf8')).toContain(code)
})

test('every example is on the page', () => {
  const folders = fs.readdirSync(path.join(ROOT, 'examples'), { withFileTypes: true }).filter(entry => entry.isDirectory())
  const names = blocks.map(([name]) => name.split('/')[1])
  const watching = textOf('docs/watching.md')
  for (const { name } of folders) {
    if (name.startsWith('chat-')) expect(watching).toContain(`examples/${name}`)
    else if (name !== 'express') expect(names).toContain(name)
  }
})

const [, code] = blocks.find(([name]) => name === 'app.js')
// Inside the package, so that `require('aerospike-session')` finds it.
const folder = path.join(ROOT, '.cache/frameworks')
fs.mkdirSync(folder, { recursive: true })
fs.writeFileSync(path.join(folder, 'app.js'), `${code}process.once('SIGTERM', () => process.exit(0))\n`)
testExample('.cache/frameworks/app.js')
testProduction('.cache/frameworks/app.js')

/** The blocks that set up sessions. */
const setups = pages().flatMap(blocksOf).filter(({ language, code }) => (
  language === 'js' && /\b(session|createSession|sessionMiddleware|createSessionStorage|auth)\(\{/.test(code)
))

/** Returns what is insecure in the code of a page. */
function faults (code) {
  return [
    ...code.match(/(?:secrets?|encryptionKey|keys): \[?['"`].*/g) ?? [],
    ...code.match(/process\.env\.SESSION_SECRET (?:\|\||\?\?).*/g) ?? [],
    ...code.match(/SESSION_SECRET = .*(?= \} = process\.env)/g) ?? [],
    ...(/DEVELOPMENT_SECRET/.test(code) && !/if \(isProduction && \(secret === DEVELOPMENT_SECRET/.test(code) ? ['no guard'] : []),
    ...(/\bsecure: (?:isProduction|'auto')|startsWith\('https:/.test(code) ? [] : ['not Secure']),
    ...(/\bauth\(\{/.test(code) && !code.includes('signSessionStoreCookie: true') ? ['not signed'] : [])
  ]
}

test('every page that sets up sessions takes the secret from the environment, signs ids and makes cookies Secure', () => {
  expect(setups.length).toBeGreaterThan(10)
  expect(setups.flatMap(({ page, line, code }) => faults(code).map(fault => `${page}:${line} ${fault}`))).toStrictEqual([])
})

test.each([
  "app.use(session({ secret: 'keyboard cat', cookie: { secure: 'auto' } }))",
  'app.use(session({ secret: process.env.SESSION_SECRET }))',
  "app.use(session({ secret: process.env.SESSION_SECRET || 'published', cookie: { secure: 'auto' } }))",
  "const { SESSION_SECRET = 'published' } = process.env\napp.use(session({ secret: SESSION_SECRET, cookie: { secure: 'auto' } }))",
  "createSessionStorage({ cookie: { secrets: ['published'], secure: isProduction } })",
  "if (BASE_URL.startsWith('https://')) app.use(auth({ session: { store } }))"
])('rejects: %s', code => {
  expect(faults(code)).toHaveLength(1)
})
