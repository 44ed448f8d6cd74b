'use strict'

// The faults: every kind, with random settings. A fault lasts `hold` milliseconds between `begin` and `end`. The caller waits
// until the cluster has settled before the next one.

/** @typedef {import('../../devserver/differential/random').Random} Random */
/** @typedef {import('./dev-cluster').DevCluster} DevCluster */
/** @typedef {import('./real-cluster').RealCluster} RealCluster */
/**
 * @typedef {{
 *   text: string, hold: number, begin: () => Promise<void>, end: () => Promise<void>,
 *   codes?: string[], isBounded?: boolean, loses?: boolean
 * }} Fault
 * codes: additional error codes that it may cause;
 * isBounded: requests must succeed again within the bound while it lasts; loses: the cluster loses its records
 */
/**
 * @typedef {{ needs: 'nodes', isMild?: undefined, draw: (random: Random, cluster: DevCluster | RealCluster) => Fault }} NodeKind
 * @typedef {{ needs: 'dev', isMild?: true, draw: (random: Random, cluster: DevCluster) => Fault }} DevKind
 */

/**
 * A fault of the dev server, or several at once.
 * @param {DevCluster} cluster
 * @param {Omit<Fault, 'begin' | 'end'>} words
 * @param {import('../../exports/dev-server').FaultOptions[]} injected
 * @returns {Fault}
 */
function injected (cluster, words, ...injected) {
  return {
    ...words,
    begin: async () => { for (const fault of injected) await cluster.inject(fault) },
    end: () => cluster.clear()
  }
}

/** @param {Random} random */
const seed = random => random.int(0, 2 ** 31)
/** @param {Random} random */
const briefly = random => random.int(800, 2_000)
/** @param {Random} random */
const when = random => /** @type {import('../../exports/dev-server').FaultWhen} */ (random.pick(['before', 'after', 'midReply']))

/** @type {Record<string, NodeKind | DevKind>} */
const FAULTS = {
  /** Long enough that requests must succeed again while it is down. */
  kill: {
    needs: 'nodes',
    draw: (random, cluster) => {
      const node = random.int(0, cluster.size - 1)
      return { text: `kill of node ${node + 1}`, hold: random.int(3_500, 5_000), begin: () => cluster.kill(node), end: () => cluster.start(node), isBounded: true }
    }
  },
  /** It restarts before the other nodes or the site have noticed, but without records. */
  bounce: {
    needs: 'nodes',
    draw: (random, cluster) => {
      const node = random.int(0, cluster.size - 1)
      return { text: `kill and start of node ${node + 1}`, hold: random.int(0, 800), begin: () => cluster.kill(node), end: () => cluster.start(node) }
    }
  },
  freeze: {
    needs: 'nodes',
    draw: (random, cluster) => {
      const node = random.int(0, cluster.size - 1)
      return { text: `freeze of node ${node + 1}`, hold: random.int(500, 5_000), begin: () => cluster.freeze(node), end: () => cluster.thaw(node) }
    }
  },
  standstill: {
    needs: 'dev',
    draw: (random, cluster) => injected(cluster, { text: 'freeze of all nodes', hold: random.int(300, 4_000) }, { kind: 'freeze' })
  },
  /** The node keeps running, but its network is cut off. */
  'cut-off': {
    needs: 'dev',
    draw: (random, cluster) => {
      const node = random.int(0, cluster.size - 1)
      return injected(cluster, { text: `node ${node + 1} cut off`, hold: random.int(500, 4_000) },
        { kind: 'refuse', node }, { kind: 'silent', node, on: 'any' })
    }
  },
  refuse: {
    needs: 'dev',
    draw: (random, cluster) => {
      const node = random.int(0, cluster.size - 1)
      return injected(cluster, { text: `node ${node + 1} refuses connections and loses some`, hold: random.int(500, 4_000) },
        { kind: 'refuse', node }, { kind: 'reset', node, probability: 0.05, seed: seed(random) })
    }
  },
  restart: {
    needs: 'dev',
    draw: (random, cluster) => ({
      text: 'kill of the whole cluster', hold: random.int(200, 3_000), begin: () => cluster.killAll(), end: () => cluster.startAll(), loses: !cluster.isDurable
    })
  },
  reset: {
    needs: 'dev',
    isMild: true,
    draw: (random, cluster) => {
      const fault = { kind: random.pick(/** @type {const} */ (['drop', 'reset'])), when: when(random), probability: random.pick([0.02, 0.1, 0.3]), seed: seed(random) }
      return injected(cluster, { text: `${fault.kind} of ${fault.probability * 100} % of the connections, ${fault.when}`, hold: briefly(random) }, fault)
    }
  },
  lost: {
    needs: 'dev',
    isMild: true,
    draw: (random, cluster) => {
      const fault = { kind: /** @type {const} */ ('silent'), when: when(random), probability: random.pick([0.01, 0.05]), seed: seed(random) }
      return injected(cluster, { text: `${fault.probability * 100} % of the answers lost, ${fault.when}`, hold: briefly(random) }, fault)
    }
  },
  latency: {
    needs: 'dev',
    isMild: true,
    draw: (random, cluster) => {
      const fault = { kind: /** @type {const} */ ('latency'), ms: random.pick([20, 100, 500]), jitter: random.pick([0, 50, 500]), when: when(random) }
      return injected(cluster, { text: `latency of ${fault.ms} to ${fault.ms + fault.jitter} ms, ${fault.when}`, hold: briefly(random) }, fault)
    }
  },
  /** Some answers arrive just before the deadline, others after it. */
  late: {
    needs: 'dev',
    isMild: true,
    draw: (random, cluster) => injected(cluster, { text: '2 % of the answers near the deadline', hold: briefly(random) },
      { kind: 'latency', ms: 2_800, jitter: 400, when: random.pick(['before', 'after']), probability: 0.02, seed: seed(random) })
  },
  code: {
    needs: 'dev',
    isMild: true,
    draw: (random, cluster) => {
      const [code, name, ...codes] = random.pick([[9, 'timeout'], [14, 'key busy'], [18, 'device overload'], [11, 'partition unavailable'], [22, 'forbidden', 'FORBIDDEN'], [4, 'parameter error', 'SERVER']])
      const share = random.pick([0.05, 0.3, 1])
      // A rejected request was not applied. Only a timeout may come from the middle of a write.
      const after = code === 9 && random.chance(0.5)
      return injected(cluster, { text: `result code ${code} (${name}) for ${share * 100} %${after ? ', carried out' : ''}`, hold: briefly(random), codes },
        { kind: 'code', code, probability: share, seed: seed(random), when: after ? 'after' : 'before' })
    }
  },
  overload: {
    needs: 'dev',
    isMild: true,
    draw: (random, cluster) => injected(cluster, { text: 'device overload', hold: briefly(random) }, { kind: 'overload', probability: random.pick([0.3, 1]), seed: seed(random) })
  },
  ttl: {
    needs: 'dev',
    draw: (random, cluster) => ({
      text: 'TTLs refused',
      hold: briefly(random),
      begin: () => cluster.configure({ nsupPeriod: 0 }),
      end: () => cluster.configure({ nsupPeriod: 120 })
    })
  },
  full: {
    needs: 'dev',
    draw: (random, cluster) => ({ text: 'memory full: writes stopped', hold: briefly(random), begin: () => cluster.fill(), end: () => cluster.empty() })
  },
  two: {
    needs: 'dev',
    draw: (random, cluster) => {
      const mild = Object.values(FAULTS).filter(kind => kind.needs === 'dev' && kind.isMild)
      const [one, other] = [0, 1].map(() => /** @type {DevKind} */ (random.pick(mild)).draw(random, cluster))
      return {
        text: `${one.text}; ${other.text}`,
        hold: Math.max(one.hold, other.hold),
        codes: [...one.codes ?? [], ...other.codes ?? []],
        begin: async () => { await one.begin(); await other.begin() },
        end: () => cluster.clear()
      }
    }
  }
}

/**
 * Yields the faults that this cluster supports in random order, each once before any repeats.
 * @param {Random} random
 * @param {DevCluster | RealCluster} cluster
 * @param {string[] | undefined} only
 */
function * faults (random, cluster, only) {
  const can = (/** @type {string} */ name) => FAULTS[name].needs === 'nodes' ? cluster.hasNodes : cluster.isDev
  const kinds = Object.keys(FAULTS).filter(name => can(name) && (only?.includes(name) ?? true))
  while (kinds.length > 0) {
    const left = [...kinds]
    while (left.length > 0) {
      const [name] = left.splice(random.int(0, left.length - 1), 1)
      yield { name, ...FAULTS[name].draw(random, /** @type {any} */ (cluster)) }
    }
  }
}

module.exports = { FAULTS, faults }
