'use strict'

// Info commands with the same response on all servers, byte for byte: unknown and invalid ones,
// and those about a missing set or index.

const net = require('node:net')
const { once } = require('node:events')

/** @typedef {import('./random').Random} Random */
/** @typedef {import('./history').Step} Step */
/** @typedef {import('./history').Outcome} Outcome */

const VERSION = 2
const INFO = 1
const HEADER = 8

/** SET and NAMESPACE in a command are replaced by those of the run. */
const COMMANDS = [
  'nosuch', 'nosuch:a=b', 'STATUS', 'status', 'status:', 'edition', 'namespaces', 'cluster-stable:size=5',
  'cluster-stable:namespace=nosuch', 'namespace', 'namespace/nosuch', 'sets/nosuch', 'sets/NAMESPACE/nosuch', 'bins',
  'bins/NAMESPACE', 'sindex', 'sindex/nosuch', 'sindex-list', 'sindex-list:ns=nosuch', 'sindex-list:ns=',
  'sindex-list:namespace=nosuch', 'sindex-stat', 'sindex-stat:ns=NAMESPACE', 'sindex-stat:ns=NAMESPACE;indexname=nosuch',
  'sindex-stat:namespace=NAMESPACE;indexname=nosuch', 'sindex/NAMESPACE/nosuch', 'sindex-exists', 'sindex-exists:ns=NAMESPACE',
  'sindex-exists:ns=NAMESPACE;indexname=nosuch', 'sindex-exists:namespace=NAMESPACE;indexname=nosuch', 'sindex-delete',
  'sindex-delete:ns=NAMESPACE', 'sindex-delete:ns=nosuch;indexname=x', 'sindex-delete:ns=NAMESPACE;indexname=nosuch',
  'sindex-create', 'sindex-create:ns=NAMESPACE', 'sindex-create:ns=NAMESPACE;set=SET',
  'sindex-create:ns=NAMESPACE;set=SET;indexname=x', 'sindex-create:ns=NAMESPACE;set=SET;indexname=x;indexdata=a',
  'sindex-create:ns=NAMESPACE;set=SET;indexname=x;indexdata=a,nosuch',
  'sindex-create:ns=NAMESPACE;set=SET;indexname=x;indextype=nosuch;indexdata=a,string',
  'sindex-create:ns=nosuch;set=SET;indexname=x;indexdata=a,string',
  'sindex-create:ns=NAMESPACE;set=SET;indexname=;indexdata=a,string',
  'sindex-create:ns=NAMESPACE;set=SET;indexname=x;indexdata=sixteen-letters-,string',
  'sindex-create:ns=NAMESPACE;set=SET;indexname=x;bin=a', 'sindex-create:ns=NAMESPACE;set=SET;indexname=x;bin=a;type=nosuch',
  'sindex-create:ns=NAMESPACE;set=SET;indexname=x;context=!;indexdata=a,string', 'truncate', 'truncate:', 'truncate:namespace=',
  'truncate:namespace=nosuch', 'truncate:set=SET', 'truncate:namespace=NAMESPACE;set=SET;lut=abc',
  'truncate:namespace=NAMESPACE;set=SET;lut=1', 'truncate:namespace=NAMESPACE;set=SET;lut=9223372036854775807',
  'truncate:namespace=nosuch;set=SET', 'truncate-namespace', 'truncate-namespace:namespace=nosuch',
  'truncate-namespace:ns=nosuch', 'truncate-undo', 'set-config', 'set-config:', 'set-config:context=nosuch',
  'set-config:context=namespace', 'set-config:context=namespace;id=nosuch;a=b',
  'set-config:context=namespace;namespace=nosuch;a=b', 'get-config:context=nosuch', 'get-config:context=namespace',
  'get-config:context=namespace;id=nosuch', 'get-config:context=namespace;namespace=nosuch', 'get-stats', 'log-set',
  'peers-clear', 'peers-tls-std', 'peers-tls-alt', 'alumni-tls-std', 'service-tls-std', 'service-tls-alt', 'jobs',
  'query-show:trid=1', 'query-show:id=1', 'query-abort', 'query-abort:', 'query-abort:trid=1', 'query-abort:id=1',
  'query-abort-all:', 'scan-abort:trid=1', 'scan-abort:id=1', 'scan-abort-all:', 'udf-list', 'udf-get',
  'udf-get:filename=nosuch.lua', 'udf-remove', 'udf-remove:filename=nosuch.lua', 'udf-put', 'udf-put:filename=a.lua',
  'udf-clear-cache', 'racks:', 'racks:namespace=NAMESPACE', 'racks:namespace=nosuch', 'rack-ids', 'roster', 'roster:',
  'roster:namespace=nosuch', 'roster:namespace=NAMESPACE', 'roster-set', 'roster-set:', 'revive:', 'quiesce:', 'quiesce-undo:',
  'recluster-nosuch', 'eviction-reset:', 'eviction-reset:namespace=nosuch', 'dump-nosuch', 'latencies-nosuch',
  'latencies:hist=nosuch', 'latencies:hist={nosuch}-read', 'histogram', 'histogram:', 'histogram:namespace=nosuch',
  'histogram:namespace=NAMESPACE', 'feature-key', 'smd', 'smd-show', 'smd-show:', 'masking', 'masking:', 'user-agents-nosuch',
  'user-agent-set', 'user-agent-set:', 'user-agent-set:value=', 'digests', 'racks', 'partition-info-nosuch', 'replicas-nosuch',
  'throughput', 'latency:', 'xdr-nosuch', 'get-dc-config', 'hist-dump', 'hist-dump:ns=NAMESPACE', 'asinfo', 'statistics-nosuch',
  'tip', 'tip:', 'tip-clear:nosuch', 'services-alumni-reset-nosuch', 'physical-devices', 'compatibility-id', 'service-list',
  'tls-nosuch', 'tend', 'sprig', 'cluster-generation-nosuch'
]

/** @param {Random} random @returns {Step} */
function infoStep (random) {
  const command = random.pick(COMMANDS)
  return { kind: 'info', command: random.chance(0.05) ? [command, random.pick(COMMANDS)] : [command] }
}

/** Runs the info commands of one server, on a raw connection that does not interpret the responses. */
class InfoTarget {
  #host
  #port
  #set
  #namespace

  /** @param {string} hosts @param {{ namespace: string, set: string }} where */
  constructor (hosts, { namespace, set }) {
    const colon = hosts.lastIndexOf(':')
    this.#host = hosts.slice(0, colon)
    this.#port = Number(hosts.slice(colon + 1))
    this.#namespace = namespace
    this.#set = set
  }

  /** @param {Step} step @returns {Promise<Outcome>} */
  async run ({ command }) {
    const text = command.map((/** @type {string} */ one) => `${one}\n`).join('').replaceAll('NAMESPACE', this.#namespace).replaceAll('SET', this.#set)
    const body = Buffer.from(text)
    const header = Buffer.alloc(HEADER)
    header.writeBigUInt64BE(BigInt(body.length))
    header[0] = VERSION
    header[1] = INFO
    return { status: 0, answer: await this.#ask(Buffer.concat([header, body])) }
  }

  /** @param {Buffer} request */
  async #ask (request) {
    const socket = net.connect(this.#port, this.#host)
    try {
      await once(socket, 'connect')
      socket.write(request)
      let answer = Buffer.alloc(0)
      for await (const chunk of socket) {
        answer = Buffer.concat([answer, chunk])
        if (answer.length < HEADER) continue
        const size = Number(answer.readBigUInt64BE() & 0xffff_ffff_ffffn)
        if (answer.length >= HEADER + size) return answer.subarray(HEADER).toString()
      }
      return 'the connection was closed'
    } finally {
      socket.destroy()
    }
  }

  async clean () {}
  async close () {}
}

module.exports = { InfoTarget, infoStep }
