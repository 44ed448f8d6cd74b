'use strict'

// Returns the changelog of a tag's version (`v1.2.3`) for the release notes. Fails if the tag, the manifests and the changelog
// do not match.

const fs = require('node:fs')
const path = require('node:path')
const { ROOT, ScriptError, runMain } = require('./build')

/** @param {string} file */
const read = file => fs.readFileSync(path.join(ROOT, file), 'utf8')

/**
 * @param {string} changelog
 * @param {string} version
 * @returns {string} the text below its heading, which must have a date
 */
function notes (changelog, version) {
  const parts = changelog.split(/^## /m)
  const part = parts.find(one => one.startsWith(`[${version}] - `))
  if (part === undefined) throw new ScriptError(`CHANGELOG.md has no '## [${version}] - DATE'.`)
  const [heading, ...lines] = part.split('\n')
  if (!/ - \d{4}-\d\d-\d\d$/.test(heading)) throw new ScriptError(`CHANGELOG.md gives no date for ${version}: '## ${heading}'.`)
  const text = lines.join('\n').replace(/^\[[^\]]+\]: .*$/gm, '').trim()
  if (text === '') throw new ScriptError(`CHANGELOG.md says nothing of ${version}.`)
  return text
}

/**
 * @param {string} tag
 * @param {{ manifest: string, lock: string, cargo: string, changelog: string }} files their texts
 */
function release (tag, { manifest, lock, cargo, changelog }) {
  const version = JSON.parse(manifest).version
  const others = {
    'the tag': tag.replace(/^v/, ''),
    'package-lock.json': JSON.parse(lock).packages[''].version,
    'Cargo.toml': /^\[workspace\.package\]\nversion = "(.*)"$/m.exec(cargo)?.[1]
  }
  for (const [what, other] of Object.entries(others)) {
    if (other !== version) throw new ScriptError(`package.json is of version ${version}, but ${what} of ${other}.`)
  }
  return notes(changelog, version)
}

if (require.main === module) {
  runMain(() => {
    const [tag] = process.argv.slice(2)
    if (tag === undefined) throw new ScriptError('Usage: node scripts/release-notes.js vX.Y.Z')
    const files = { manifest: read('package.json'), lock: read('package-lock.json'), cargo: read('Cargo.toml'), changelog: read('CHANGELOG.md') }
    console.log(release(tag, files))
  })
}

module.exports = { release }
