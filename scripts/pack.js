'use strict'

// npm run pack: creates the tarballs of a release in dist/: the package itself, and a package for each existing binary. With
// --all there must be a binary for every platform in package.json (`napi.targets`), as for a release.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { spawnSync } = require('node:child_process')
const { parse } = require('./arguments')
const { ROOT, ScriptError, build, runMain } = require('./build')

/** The licenses of the crates in a binary. */
const THIRD_PARTY = 'THIRD-PARTY-LICENSES.txt'

const HELP = `Usage: npm run pack -- [options]

  --artifacts DIR  where the binaries are, and native.js that loads them (default lib/binding)
  --out DIR        where the tarballs go (default dist)
  --all            refuse to go on without a binary for every platform
  --help           show this
`

/**
 * @param {string} command
 * @param {string[]} args
 * @param {string} cwd
 * @returns {string} its output
 */
function run (command, args, cwd) {
  const { error, status, stdout, stderr } = spawnSync(command, args, {
    cwd, encoding: 'utf8', env: { ...process.env, npm_config_ignore_scripts: 'true' }, shell: process.platform === 'win32'
  })
  if (error || status !== 0) throw new ScriptError(`${path.basename(command)} ${args.join(' ')} failed: ${error?.message ?? stderr + stdout}`)
  return stdout
}

/**
 * @param {string[]} args
 * @param {string} cwd
 */
function napi (args, cwd) {
  // By its file, because its entry in .bin is a shell script on Windows.
  return run(process.execPath, [path.join(ROOT, 'node_modules/@napi-rs/cli/dist/cli.js'), ...args], cwd)
}

/**
 * @param {string} folder
 * @param {string} out
 * @returns {string} the tarball
 */
function packFolder (folder, out) {
  const [{ filename }] = JSON.parse(run('npm', ['pack', '--json', '--pack-destination', out], folder))
  return path.join(out, filename)
}

/** The generated loader, which selects the binary of the platform. It is not in the repository. */
const LOADER = 'lib/binding/native.js'

/**
 * Creates a copy of the files in the package with the loader of the binaries, and next to it, in npm/, a folder for each
 * platform.
 * @param {string} stage
 * @param {string} artifacts
 */
function prepare (stage, artifacts) {
  const loader = [path.join(artifacts, path.basename(LOADER)), path.join(ROOT, LOADER)].find(file => fs.existsSync(file))
  if (loader === undefined) {
    throw new ScriptError(`There is no ${path.basename(LOADER)} in ${artifacts} nor in ${path.dirname(LOADER)}: the package could not load its binaries. npm run build writes it.`)
  }
  const [{ files }] = JSON.parse(run('npm', ['pack', '--dry-run', '--json'], ROOT))
  for (const { path: file } of files) {
    fs.mkdirSync(path.dirname(path.join(stage, file)), { recursive: true })
    fs.copyFileSync(path.join(ROOT, file), path.join(stage, file))
  }
  fs.mkdirSync(path.dirname(path.join(stage, LOADER)), { recursive: true })
  fs.copyFileSync(loader, path.join(stage, LOADER))
  napi(['create-npm-dirs'], stage)
}

/**
 * Puts the binaries into their platforms' folders.
 * @param {string} stage
 * @param {string} artifacts
 * @returns {{ there: string[], missing: string[] }} platforms
 */
function place (stage, artifacts) {
  /** @type {{ there: string[], missing: string[] }} */
  const found = { there: [], missing: [] }
  const { napi: { binaryName } } = readManifest(stage)
  for (const platform of fs.readdirSync(path.join(stage, 'npm'))) {
    const binary = `${binaryName}.${platform}.node`
    const isThere = fs.existsSync(path.join(artifacts, binary))
    found[isThere ? 'there' : 'missing'].push(platform)
    if (!isThere) continue
    const folder = path.join(stage, 'npm', platform)
    fs.copyFileSync(path.join(artifacts, binary), path.join(folder, binary))
    for (const terms of ['LICENSE', THIRD_PARTY]) fs.copyFileSync(path.join(ROOT, terms), path.join(folder, terms))
    const manifest = readManifest(folder)
    writeManifest(folder, { ...manifest, files: [...manifest.files, THIRD_PARTY] })
  }
  return found
}

/** @param {string} folder */
function readManifest (folder) {
  return JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8'))
}

/**
 * @param {string} folder
 * @param {any} manifest
 */
function writeManifest (folder, manifest) {
  fs.writeFileSync(path.join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
}

/**
 * Makes the package depend on exactly these packages in its own version, whichever of them are packed here. The repository's
 * package.json does not: `npm ci` would look for packages that are not published yet.
 * @param {string} stage
 */
function addOptionalDependencies (stage) {
  const manifest = readManifest(stage)
  const packages = fs.readdirSync(path.join(stage, 'npm')).map(platform => readManifest(path.join(stage, 'npm', platform)))
  manifest.optionalDependencies = Object.fromEntries(packages.map(({ name }) => [name, manifest.version]))
  writeManifest(stage, manifest)
}

/**
 * @param {{ artifacts?: string, out?: string, all?: boolean }} options
 * @returns {{ main: string, platforms: Record<string, string> }} the tarballs
 */
function pack ({ artifacts = path.join(ROOT, 'lib/binding'), out = path.join(ROOT, 'dist'), all = false } = {}) {
  const stage = fs.mkdtempSync(path.join(os.tmpdir(), 'aerospike-session-pack-'))
  try {
    prepare(stage, artifacts)
    const { there, missing } = place(stage, artifacts)
    if (there.length === 0) throw new ScriptError(`There is no binary in ${artifacts}: npm run build`)
    if (all && missing.length > 0) throw new ScriptError(`There is no binary in ${artifacts} for ${missing.join(', ')}.`)
    addOptionalDependencies(stage)
    // Checks every platform's package, and writes the same optionalDependencies.
    if (all) napi(['pre-publish', '--skip-optional-publish', '--no-gh-release'], stage)
    fs.mkdirSync(out, { recursive: true })
    const platforms = there.map(platform => [platform, packFolder(path.join(stage, 'npm', platform), out)])
    fs.rmSync(path.join(stage, 'npm'), { recursive: true })
    return { main: packFolder(stage, out), platforms: Object.fromEntries(platforms) }
  } finally {
    fs.rmSync(stage, { recursive: true, force: true })
  }
}

if (require.main === module) {
  runMain(() => {
    const values = parse(process.argv.slice(2), {
      artifacts: { type: 'string' }, out: { type: 'string' }, all: { type: 'boolean' }, help: { type: 'boolean' }
    })
    if (values.help) return process.stdout.write(HELP)
    const { artifacts, out, all } = values
    if (artifacts === undefined) build()
    const packed = pack({ artifacts: artifacts && path.resolve(artifacts), out: out && path.resolve(out), all })
    for (const file of [...Object.values(packed.platforms), packed.main]) console.log(path.relative(process.cwd(), file))
  })
}

module.exports = { pack }
