'use strict'

// Reports the connection, or explains why there is none.

const { Findings, plural } = require('../finding')
const { SILENT } = require('../facts')

const DOCS = 'docs/connecting.md has all of it'

/** Explanation and advice by the system's error code. */
const UNREACHED = /** @type {Record<string, [string, string]>} */ ({
  ECONNREFUSED: [
    'nobody listens there',
    "start the server, or correct the port: --hosts HOST:PORT, by default 3000. To try things out: 'npx aerospike-session dev-server'"
  ],
  ENOTFOUND: ['there is no host of that name', 'correct the name in --hosts, or make it known to this machine (DNS, /etc/hosts)'],
  EAI_AGAIN: ['the name cannot be looked up', 'see to the name server of this machine, or give the address in --hosts'],
  ETIMEDOUT: ['nobody answers', 'correct the address in --hosts; or let this machine through: a firewall, a security group, another network'],
  EHOSTUNREACH: ['there is no way to that host', 'correct the address in --hosts, or the routes of this machine'],
  ENETUNREACH: ['there is no way to that network', 'correct the address in --hosts, or the routes of this machine'],
  [SILENT]: ['it takes connections and does not answer', 'see why it stands still']
})

/** Advice by the core's message for a failed login. */
const LOGINS = /** @type {[RegExp, string][]} */ ([
  [/asks for a user/, 'give --user NAME, and the password in the environment as AEROSPIKE_PASSWORD'],
  [/knows no users/, 'leave --user out: security is off on these nodes, as always in the Community Edition'],
  [/refused the user or the password/, 'check the user and the password (AEROSPIKE_PASSWORD). An administrator gives a new one: ' +
    'asadm --enable -e "manage acl set-password user NAME"'],
  [/expired|forbidden/, 'have an administrator give the user a new password'],
  [/from this address/, "have an administrator add this machine's address to the allowlist of the user's role"]
])

/** Advice by the core's message for a failed TLS handshake. */
const HANDSHAKES = /** @type {[RegExp, string][]} */ ([
  // Does not simply advise to leave out --tls: an impostor would want exactly that.
  [/(does not speak|answers without) TLS/, 'first make sure that this is your node: an impostor can answer without TLS, to get the login and the sessions in ' +
    'clear text. Compare host and port with tls-port in aerospike.conf. Leave out --tls only if the cluster is meant to run without TLS'],
  [/not trusted/, "give the authority that has signed the nodes' certificates: --tls-ca FILE"],
  [/for another name/, 'give the name that is in the certificates: --tls-name NAME, or HOST:NAME:PORT in --hosts'],
  [/asks for a certificate/, 'give a certificate of ours: --tls-cert FILE and --tls-key FILE'],
  [/expired/, 'renew the certificate of the node'],
  [/not valid yet|not yet valid/, 'set the clock of this machine, or of the one that made the certificate']
])

/** @param {import('../finding').Facts} facts */
function connection (facts) {
  const found = new Findings('Connection')
  if (facts.failure !== undefined) failed(found, facts, facts.failure)
  else connected(found, facts)
  return found.list
}

/**
 * @param {Findings} found
 * @param {import('../finding').Facts} facts
 */
function connected (found, { connected = 0, nodes, seeds, target }) {
  found.ok('CONNECTED', `connected to ${plural(nodes.length, 'node')} within ${Math.ceil(connected)} ms${target.tls ? ', with TLS' : ''}`)
  for (const { host, error } of seeds) {
    if (error === undefined) continue
    const [wrong] = UNREACHED[error] ?? [`no connection (${error})`]
    found.add('warning', 'SEED_UNREACHABLE', `${host}: ${wrong}; the cluster was found by the others`,
      `${error === SILENT ? 'see why that node stands still' : 'start that node'}, or take it out of the hosts: when it is the only one left, nothing can connect`)
  }
}

/**
 * @param {Findings} found
 * @param {import('../finding').Facts} facts
 * @param {import('../facts').Failure} failure
 */
function failed (found, facts, failure) {
  const { code } = failure
  const text = words(failure)
  if (code === 'UNAVAILABLE') return unavailable(found, facts, text)
  const advice = (/** @type {[RegExp, string][]} */ known, /** @type {string} */ otherwise) => known.find(([words]) => words.test(text))?.[1] ?? otherwise
  switch (code) {
    case 'AUTH': return found.add('problem', 'LOGIN_REFUSED', text, advice(LOGINS, `check --user, the password and --auth-mode; ${DOCS}`))
    case 'TLS': return found.add('problem', 'TLS_FAILED', text, advice(HANDSHAKES,
      `check that the port is one for TLS exactly if --tls is given, and --tls-ca, --tls-name, --tls-cert and --tls-key; ${DOCS}`))
    case 'SERVER': if (/clusterName/.test(text)) {
      return found.add('problem', 'OTHER_CLUSTER', text, 'correct --cluster-name, or --hosts')
    }
  }
  found.add('problem', 'FAILED', text, "try again; if it stays, the server's log tells more")
}

/**
 * Returns the message with its cause, without the operation's name and without repetition.
 * @param {import('../facts').Failure} failure
 */
function words ({ message, cause }) {
  const text = message.replace(/^ready: /, '')
  if (cause === undefined) return text
  return cause.startsWith(text) ? cause : `${text}: ${cause}`
}

/**
 * @param {Findings} found
 * @param {import('../finding').Facts} facts
 * @param {string} text
 */
function unavailable (found, { seeds, target }, text) {
  // If a seed accepts connections, the store's error explains more.
  const unreachable = seeds.filter(({ error }) => error !== undefined && error !== SILENT)
  for (const { host, error = '' } of unreachable) {
    const [wrong, advice] = UNREACHED[error] ?? [`no connection (${error})`, 'correct the address in --hosts']
    found.add('problem', 'HOST_UNREACHABLE', `${host}: ${wrong} (${error})`, advice)
  }
  if (unreachable.length === seeds.length) return
  found.add('problem', 'NO_NODE', `somebody takes connections, but is no node that can be used: ${text}`,
    `check that the port is that of the service (3000), not of fabric, heartbeat or admin${target.tls ? '' : ', and whether it wants --tls'}; ` +
    'a node that has just been started serves after a while; the addresses that nodes announce must be reachable from here ' +
    '(access-address in aerospike.conf, or alternate-access-address with --services-alternate)')
}

module.exports = { connection }
