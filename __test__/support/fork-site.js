'use strict'

// Runs sites in their own processes, for frameworks that jest cannot load because they need Node.js's own loader of ES modules.
// Events and gates are sent as messages.

const path = require('node:path')
const { EventEmitter, once } = require('node:events')
const { fork } = require('node:child_process')

const children = []

if (typeof afterAll === 'function') {
  afterAll(async () => {
    for (const child of children) {
      child.kill()
      await once(child, 'exit')
    }
  })
}

/**
 * @param {string} file in this folder
 * @param {{ options: any }} config for the site; `options` are those of its store
 */
async function forkSite (file, config) {
  const { encryptionKeys } = config.options
  const options = { ...config.options, ...(encryptionKeys && { encryptionKeys: encryptionKeys.map(key => key.toString('base64')) }) }
  const env = { ...process.env, SITE: JSON.stringify({ ...config, options }) }
  const child = fork(path.join(__dirname, file), { env, execArgv: [] })
  children.push(child)
  const events = new EventEmitter()
  child.on('message', ([name, value]) => events.emit(name, value))
  const exit = once(child, 'exit').then(([code]) => { throw new Error(`${file} ended with ${code}`) })
  const [port] = await Promise.race([once(events, 'port'), exit])
  exit.catch(() => {})
  return {
    url: `http://localhost:${port}`,
    gates: {
      open: name => child.send(['open', name]),
      arrived (name) {
        const arrived = once(events, `arrived ${name}`)
        child.send(['await', name])
        return arrived
      }
    },
    events
  }
}

/**
 * Returns the configuration in the site's process.
 */
function siteConfig () {
  return JSON.parse(process.env.SITE)
}

/**
 * Connects the site's process with the test.
 *
 * @param {import('./gates').Gates} gates
 * @param {import('node:events').EventEmitter} store
 * @param {number} port
 */
function siteIsOpen (gates, store, port) {
  store.on('gone', event => process.send(['gone', event]))
  process.on('message', ([what, name]) => {
    if (what === 'open') gates.open(name)
    else gates.arrived(name).then(() => process.send([`arrived ${name}`]))
  })
  process.send(['port', port])
}

module.exports = { forkSite, siteConfig, siteIsOpen }
