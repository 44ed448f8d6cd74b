'use strict'

// Checks a piece of aerospike.conf: its braces, and its names against those that server 8.1 lists (get-config).

const fs = require('node:fs')
const path = require('node:path')

const NAMES = path.join(__dirname, '../../devserver/src/info/names')
/** What opens a block, and the blocks that may contain it. get-config does not list a set's settings. */
const BLOCKS = {
  '': ['service', 'logging', 'network', 'namespace'],
  logging: ['file', 'console'],
  network: ['service', 'fabric', 'heartbeat', 'admin', 'info', 'tls'],
  namespace: ['set', 'storage-engine', 'index-type', 'sindex-type'],
  'namespace.set': []
}
const SET = ['default-ttl', 'disable-eviction', 'enable-index', 'stop-writes-count', 'stop-writes-size']
/** Settings that get-config lists under other names, or not at all. */
const UNLISTED = ['mesh-seed-address-port', 'address', 'access-address', 'context', 'device', 'file', 'tls-name']

/** @param {string} file */
const listed = file => fs.readFileSync(path.join(NAMES, file), 'utf8').split('\n').map(line => line.split('=')[0])

function known () {
  return {
    service: listed('service-config.txt'),
    network: listed('network-config.txt'),
    namespace: listed('namespace-config.txt')
  }
}

/** @param {string} text */
function faultOf (text) {
  const names = known()
  /** @type {string[]} */
  const inside = []
  for (const raw of text.split('\n')) {
    const line = raw.replace(/#.*$/, '').trim()
    if (line === '') continue
    if (line === '}') {
      if (inside.pop() === undefined) return 'a brace too many'
      continue
    }
    const [name, ...values] = line.split(/\s+/)
    const place = inside.join('.')
    if (values.at(-1) === '{') {
      const allowed = BLOCKS[/** @type {keyof typeof BLOCKS} */ (place)]
      if (!allowed?.includes(name)) return `no block '${name}' in '${place}'`
      inside.push(name)
      continue
    }
    const [context, ...path] = inside
    const full = [...path, name].join('.')
    const isKnown = UNLISTED.includes(name) || (place === 'namespace.set' ? SET.includes(name) : names[/** @type {keyof typeof names} */ (context)]?.includes(full))
    if (!isKnown || values.length === 0) return `no setting '${full}' of '${context}'`
  }
  return inside.length > 0 ? 'a brace is missing' : undefined
}

module.exports = { faultOf }
