'use strict'

// How changes are checked and versions released: the permissions and commands of the workflows, and the notes of a release.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { spawnSync } = require('node:child_process')
const { release } = require('../../scripts/release-notes')
const manifest = require('../../package.json')

const ROOT = path.join(__dirname, '../..')
const read = file => fs.readFileSync(path.join(ROOT, file), 'utf8')

const workflows = fs.readdirSync(path.join(ROOT, '.github/workflows')).map(name => [name, read(`.github/workflows/${name}`)])
const actions = fs.readdirSync(path.join(ROOT, '.github/actions')).map(name => [name, read(`.github/actions/${name}/action.yml`)])

/** Returns what is insecure in the text of a workflow or action. */
function faults (text) {
  const uses = Array.from(text.matchAll(/^\s*(?:- )?uses: (.*)$/gm), ([, action]) => action)
  return [
    ...uses.filter(action => !action.startsWith('./') && !/^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(action)),
    ...text.match(/pull_request_target|secrets\.|workflow_run:|\bnpm (?:install|i) /g) ?? []
  ]
}

test.each([...workflows, ...actions])('%s uses actions by commit hash, no secrets, and no foreign code with write permissions', (name, text) => {
  expect(faults(text)).toStrictEqual([])
})

test.each([
  'uses: actions/checkout@v7', '- uses: actions/checkout@main # v7.0.1', 'uses: a/b@0123456789012345678901234567890123456789',
  'pull_request_target:', '${{ secrets.NPM_TOKEN }}', 'run: npm install express' // eslint-disable-line no-template-curly-in-string
])('rejects: %s', text => {
  expect(faults(`      ${text}`)).toHaveLength(1)
})

test.each(workflows)('%s may only read, unless a job asks for more', (name, text) => {
  expect(text).toMatch(/^permissions:\n {2}contents: read\n\n/m)
  expect(text).toMatch(/^concurrency:\n {2}group: /m)
  const jobs = text.slice(text.indexOf('\njobs:')).split(/^ {2}(?=[\w-]+:$)/m).slice(1)
  const more = jobs.flatMap(job => Array.from(job.matchAll(/^ {6}([\w-]+: write)$/gm), ([, right]) => `${job.split(':')[0]}: ${right}`))
  expect(more).toStrictEqual(name === 'release.yml' ? ['publish: id-token: write', 'announce: contents: write'] : [])
  for (const job of jobs) expect(job).toMatch(/timeout-minutes: |uses: \.\//)
  // No checkout keeps a token where later steps could find it.
  expect(text.match(/actions\/checkout@/g)?.length).toBe(text.match(/persist-credentials: false/g)?.length)
})

test('a release builds and tests a binary for each platform of package.json', () => {
  const text = read('.github/workflows/release.yml')
  const [, build] = /\n {2}build:\n([^]*?)\n {2}pack:/.exec(text)
  const [, attempt] = /\n {2}try:\n([^]*?)\n {2}publish:/.exec(text)
  const targets = (part, pattern) => Array.from(part.matchAll(pattern), ([, target]) => target).sort()
  expect(targets(build, /\{ target: (\S+),/g)).toStrictEqual([...manifest.napi.targets].sort())
  expect(targets(attempt, /^ {10}- (\w\S+)$/gm)).toStrictEqual([...manifest.napi.targets].sort())
  expect(targets(attempt, /\{ target: (\S+), host:/g)).toStrictEqual([...manifest.napi.targets].sort())
})

describe('the artifacts of a release', () => {
  /** Returns the jobs of a workflow by name: their text, and the text of each step. */
  const jobsOf = text => Object.fromEntries(text.slice(text.indexOf('\njobs:')).split(/^ {2}(?=[\w-]+:$)/m).slice(1).map(job => (
    [job.split(':')[0], { text: job, steps: job.split(/^ {6}- /m).slice(1) }]
  )))
  const jobs = Object.entries(jobsOf(read('.github/workflows/release.yml')))
  const uses = action => step => step.includes(`uses: actions/${action}@`)

  test('have their digests recorded before the upload, as outputs of the job', () => {
    const makers = jobs.filter(([, { steps }]) => steps.some(uses('upload-artifact')))
    expect(makers.map(([name]) => name)).toStrictEqual(['build', 'pack'])
    for (const [, { text, steps }] of makers) {
      steps.forEach((step, at) => {
        if (!uses('upload-artifact')(step)) return
        const [, id] = /^id: (\w+)\n/.exec(steps[at - 1])
        const [, output, folder, ending] = /run: node scripts\/digests\.js record (.+) (\S+) (\S+)\n/.exec(steps[at - 1])
        expect(step).toMatch(new RegExp(`path: ${folder}/\\*?${ending.replace('.', '\\.')}\n`))
        expect(/\n\s+if: .*/.exec(steps[at - 1])?.[0].trim()).toBe(/\n\s+if: .*/.exec(step)?.[0].trim())
        const names = output === '${{ matrix.target }}' ? manifest.napi.targets : [output] // eslint-disable-line no-template-curly-in-string
        for (const name of names) expect(text).toContain(`\n      ${name}: \${{ steps.${id}.outputs.${name} }}\n`)
      })
    }
  })

  test('are compared with the recorded digests directly after the download', () => {
    const users = jobs.filter(([, { steps }]) => steps.some(uses('download-artifact')))
    expect(users.map(([name]) => name)).toStrictEqual(['pack', 'try', 'publish'])
    for (const [name, { text, steps }] of users) {
      const downloads = steps.filter(uses('download-artifact'))
      const first = steps.findIndex(uses('download-artifact'))
      const verifies = steps.slice(first + downloads.length, first + 2 * downloads.length)
      downloads.forEach((download, at) => {
        const maker = /name: tarballs\n/.test(download) ? 'pack' : 'build'
        expect(steps[first + at]).toBe(download)
        const [, folder] = /path: (\S+)\n/.exec(download)
        expect([name, verifies[at]]).toStrictEqual([name, `run: node scripts/digests.js verify ${folder}\n        env:\n          DIGESTS: \${{ toJSON(needs.${maker}.outputs) }}\n`])
        expect(/needs: (.*)/.exec(text)[1]).toContain(maker)
      })
    }
  })

  test('are published by a tested script, not by commands in the workflow', () => {
    for (const [, text] of workflows) expect(text).not.toMatch(/npm (?:publish|view)/)
    expect(read('.github/workflows/release.yml')).toMatch(/^ {8}run: node scripts\/publish\.js --provenance$/m)
  })

  describe('scripts/digests.js', () => {
    let folder, outputs
    const digests = (args, env) => {
      const script = path.join(ROOT, 'scripts/digests.js')
      return spawnSync(process.execPath, [script, ...args], { env: { ...process.env, ...env }, encoding: 'utf8' })
    }
    const file = name => path.join(folder, name)
    /** Compares the folder with the outputs of the jobs that made its files. */
    const verify = (given = outputs) => {
      const { status, stderr } = digests(['verify', folder], { DIGESTS: JSON.stringify(given) })
      return { status, stderr: stderr.trim() }
    }

    beforeEach(() => {
      folder = fs.mkdtempSync(path.join(os.tmpdir(), 'aerospike-session-'))
      const GITHUB_OUTPUT = path.join(os.tmpdir(), `${path.basename(folder)}.output`)
      for (const name of ['a.node', 'b.node', 'native.js']) fs.writeFileSync(file(name), name)
      for (const args of [['a', folder, 'a.node'], ['b', folder, 'b.node'], ['loader', folder, '.js']]) {
        expect(digests(['record', ...args], { GITHUB_OUTPUT })).toMatchObject({ status: 0, stderr: '' })
      }
      outputs = Object.fromEntries(fs.readFileSync(GITHUB_OUTPUT, 'utf8').trim().split('\n').map(line => line.split(/=(.*)/, 2)))
      fs.rmSync(GITHUB_OUTPUT)
    })
    afterEach(() => fs.rmSync(folder, { recursive: true }))

    test('accepts unchanged files', () => {
      expect(Object.keys(outputs)).toStrictEqual(['a', 'b', 'loader'])
      expect(verify()).toStrictEqual({ status: 0, stderr: '' })
    })

    test.each([
      ['a file that was replaced', () => fs.writeFileSync(file('a.node'), 'another'), /^a\.node has changed since it was made: its SHA-256 digest is [0-9a-f]{64}, and was [0-9a-f]{64}\.$/],
      ['a file that was added', () => fs.writeFileSync(file('c.node'), 'c'), /^c\.node is in .*, but the job that made the files did not record it\.$/],
      ['a file that is missing', () => fs.rmSync(file('b.node')), /^b\.node is not in .*\.$/],
      ['a file whose job has no output', () => { outputs.b = '' }, /^b\.node is in .*, but the job that made the files did not record it\.$/],
      ['files without any outputs', () => { outputs = {} }, /^The job that made the files recorded no digests\.$/]
    ])('rejects %s', (what, change, message) => {
      change()
      expect(verify()).toStrictEqual({ status: 1, stderr: expect.stringMatching(message) })
    })

    test.each([[['verify', '.']], [['record', 'a', '.', '.node']], [[]]])('prints its usage when arguments or variables are missing: %j', args => {
      expect(digests(args, { DIGESTS: '', GITHUB_OUTPUT: '' })).toMatchObject({ status: 1, stderr: expect.stringMatching(/^Usage: /) })
    })

    test('fails if there is no file to record', () => {
      expect(digests(['record', 'a', folder, '.tgz'], { GITHUB_OUTPUT: file('output') })).toMatchObject({ status: 1, stderr: expect.stringMatching(/^There is no file in .* ends with \.tgz\.\n$/) })
    })
  })
})

test('the tests run on every supported version of Node.js', () => {
  const { NODES } = require('../../scripts/runtimes')
  expect(manifest.engines.node).toBe(`>=${NODES[0]}`)
  const matrices = Array.from(read('.github/workflows/ci.yml').matchAll(/^ {8}node: \[(.*)\]$/gm), ([, versions]) => versions)
  expect(matrices).toStrictEqual([NODES.join(', '), NODES.join(', ')])
})

test('docs/contributing.md documents every script of package.json', () => {
  const text = read('docs/contributing.md')
  const names = { start: 'npm start', test: 'npm test', prepack: '`prepack`' }
  for (const script of Object.keys(manifest.scripts)) expect(text).toContain(names[script] ?? `npm run ${script}`)
})

test('every script that a workflow runs exists', () => {
  for (const [name, text] of [...workflows, ...actions]) {
    const run = Array.from(text.matchAll(/npm run (?:--silent )?([\w:]+)/g), ([, script]) => script)
    for (const script of run) expect([name, Object.keys(manifest.scripts)]).toStrictEqual([name, expect.arrayContaining([script])])
    for (const [, file] of text.matchAll(/node (scripts\/\S+\.js)/g)) expect([name, file, fs.existsSync(path.join(ROOT, file))]).toStrictEqual([name, file, true])
  }
})

describe('the notes of a release', () => {
  const files = {
    manifest: '{ "version": "1.2.3" }',
    lock: '{ "packages": { "": { "version": "1.2.3" } } }',
    cargo: '[workspace.package]\nversion = "1.2.3"\n',
    changelog: '# Changelog\n\n## [Unreleased]\n\n- more\n\n## [1.2.3] - 2026-01-31\n\n### Added\n\n- This.\n\n## [1.2.2] - 2026-01-01\n\n- That.\n\n[1.2.3]: https://example.org\n'
  }

  test("are the changelog's text for that version", () => {
    expect(release('v1.2.3', files)).toBe('### Added\n\n- This.')
  })

  test.each([
    ['the tag', 'v1.2.4', {}, 'package.json is of version 1.2.3, but the tag of 1.2.4.'],
    ['package-lock.json', 'v1.2.3', { lock: '{ "packages": { "": { "version": "1.2.2" } } }' }, 'package.json is of version 1.2.3, but package-lock.json of 1.2.2.'],
    ['Cargo.toml', 'v1.2.3', { cargo: '[workspace.package]\nversion = "1.2.2"\n' }, 'package.json is of version 1.2.3, but Cargo.toml of 1.2.2.'],
    ['the changelog', 'v1.2.3', { changelog: '## [Unreleased]\n\n- more' }, "CHANGELOG.md has no '## [1.2.3] - DATE'."],
    ['its date', 'v1.2.3', { changelog: '## [1.2.3] - Unreleased\n\n- more' }, "CHANGELOG.md gives no date for 1.2.3: '## [1.2.3] - Unreleased'."],
    ['its text', 'v1.2.3', { changelog: '## [1.2.3] - 2026-01-31\n\n## [1.2.2] - 2026-01-01\n\n- That.' }, 'CHANGELOG.md says nothing of 1.2.3.']
  ])('are rejected if %s does not match the version', (what, tag, changed, message) => {
    expect(() => release(tag, { ...files, ...changed })).toThrow(message)
  })
})
