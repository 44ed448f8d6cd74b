'use strict'

// The options of a store on the command line: the cluster, the login, and where the sessions are. Defaults and checks are
// those of the store (lib/options/options.js).

const { askSecretly } = require('./prompt')
const { UsageError, number } = require('./usage')

const HELP = `  --hosts HOSTS       where the cluster is, as 'db1:3000,db2:3000' (default: AEROSPIKE_HOSTS,
                      else localhost:3000)
  --namespace NAME    (default test)
  --set NAME          (default sessions)
  --prefix TEXT       what the store puts before session ids (default: nothing)
  --user NAME         log in. The password is taken from AEROSPIKE_PASSWORD, or asked for
  --password TEXT     the same, but every process list shows it
  --auth-mode MODE    internal, external, external-insecure or pki (default internal)
  --tls               TLS; each of the following means it as well
  --tls-ca FILE       trust these authorities (default: those of the system and of Node.js)
  --tls-cert FILE     show this certificate, with --tls-key FILE
  --tls-name NAME     the name in the nodes' certificates (default: that of the host)
  --services-alternate
                      use the addresses that nodes announce as their alternate ones
  --cluster-name NAME the name that the cluster must have
  --timeout MS        longest time for an operation (default 3000)
  --connect-timeout MS
                      longest time for connecting (default 5000)
`

const OPTIONS = /** @type {const} */ ({
  hosts: { type: 'string' },
  namespace: { type: 'string' },
  set: { type: 'string' },
  prefix: { type: 'string' },
  user: { type: 'string' },
  password: { type: 'string' },
  'auth-mode': { type: 'string' },
  tls: { type: 'boolean' },
  'tls-ca': { type: 'string' },
  'tls-cert': { type: 'string' },
  'tls-key': { type: 'string' },
  'tls-name': { type: 'string' },
  'services-alternate': { type: 'boolean' },
  'cluster-name': { type: 'string' },
  timeout: { type: 'string' },
  'connect-timeout': { type: 'string' },
  json: { type: 'boolean' }
})

const EXIT_CODES = `Exit codes: 0 done, 1 failed, 2 a mistake in the command line, 3 done, but the output cannot be
written.
`

/** Milliseconds: the largest value of options 'timeout' and 'connectTimeout'. */
const LONGEST_TIMEOUT = 600_000

/**
 * Returns the options of the store that the command line describes.
 *
 * @param {Record<string, any>} values
 */
async function storeOptions (values) {
  const milliseconds = (/** @type {string} */ name) => {
    return values[name] === undefined ? undefined : number(name, values[name], 1, LONGEST_TIMEOUT)
  }
  const { hosts, namespace, set, prefix, user } = values
  return given({
    hosts,
    namespace,
    set,
    prefix,
    user,
    password: await password(values),
    authMode: values['auth-mode'],
    tls: tls(values),
    servicesAlternate: values['services-alternate'],
    clusterName: values['cluster-name'],
    timeout: milliseconds('timeout'),
    connectTimeout: milliseconds('connect-timeout')
  })
}

/**
 * Returns option hashIds of the store, if --hash-ids says that it has it.
 * @param {Record<string, any>} values
 */
function hashIdsOption (values) {
  if (values['hash-ids'] !== true) return {}
  const { AEROSPIKE_HASH_IDS: secret } = process.env
  if (secret === undefined) throw new UsageError('--hash-ids needs the secret in the environment, as AEROSPIKE_HASH_IDS')
  return { hashIds: secret }
}

/** @param {Record<string, any>} values */
function tls (values) {
  const options = given({ ca: values['tls-ca'], cert: values['tls-cert'], key: values['tls-key'], servername: values['tls-name'] })
  if (Object.keys(options).length > 0) return options
  return values.tls
}

/**
 * @param {Record<string, any>} values
 * @returns {Promise<string | undefined>}
 */
async function password ({ user, password }) {
  if (user === undefined) {
    if (password !== undefined) throw new UsageError('--password needs --user')
    return undefined
  }
  if (password !== undefined) return password
  // An empty password is a password, too.
  const { AEROSPIKE_PASSWORD: known } = process.env
  return known ?? await askSecretly('Password: ') ?? missing()
}

/** @returns {never} */
function missing () {
  throw new UsageError('--user needs a password: in the environment as AEROSPIKE_PASSWORD, or, on a terminal, when asked for it')
}

/**
 * Drops options that were not given.
 * @param {Record<string, any>} options
 */
function given (options) {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}

module.exports = { EXIT_CODES, HELP, OPTIONS, hashIdsOption, storeOptions }
