'use strict'

// The doctor's checks, on facts of a real server (Community Edition 8.1.2) with one thing changed.

const fs = require('node:fs')
const path = require('node:path')
const { check } = require('../../lib/doctor')
const { bounds, narrowed } = require('../../lib/doctor/clock')
const { nodeFacts } = require('../../lib/doctor/facts')
const { percentiles } = require('../../lib/doctor/smoke-test')
const real = require('../support/doctor-facts.json')

/** Seconds between 1970 and 2010. */
const EPOCH = 1_262_304_000

/** Returns the findings for the facts of the real server after a change. */
function found (change) {
  const facts = structuredClone(real)
  change(facts)
  return check(facts)
}

const codes = findings => findings.map(({ level, code }) => `${level} ${code}`)

/** Returns facts of this many nodes, each like the real one. */
function copies (facts, count) {
  const [node] = facts.nodes
  facts.nodes = Array.from({ length: count }, (_, n) => ({ ...structuredClone(node), name: `A${n}`, address: `10.0.0.${n}:3000` }))
  for (const { namespace, statistics } of facts.nodes) {
    statistics.cluster_size = String(count)
    namespace.effective_replication_factor = '2'
  }
  return facts.nodes
}

const both = settings => facts => Object.assign(facts.nodes[0].namespace, settings)
const inSet = settings => facts => { facts.nodes[0].set = settings }

test('a format that is hardly faster is not reported', () => {
  expect(codes(found(facts => { facts.formats = { size: 6_144, map: 0.3, json: 0.29 } }))).not.toContain('note JSON_IS_FASTER')
})

test('a real server has no problems, only notes about running a single node', () => {
  expect(codes(found(() => {}))).toEqual([
    'ok CONNECTED', 'ok VERSION', 'note ONE_NODE', 'ok TTL', 'ok ROOM', 'ok NO_EVICTION', 'note IN_MEMORY', 'ok CLOCK', 'ok WORKS', 'ok SPEED',
    'note NO_USER_INDEX'
  ])
})

test.each([
  ['no room', both({ stop_writes: 'true', data_used_pct: '71' }), 'problem STOP_WRITES', /71 % of the storage used, of 70 %/, /add storage/],
  ['no memory', both({ stop_writes: 'true', indexes_memory_used_pct: '101' }), 'problem STOP_WRITES', /101 % of the memory for indexes/, /memory/],
  ['no room for the set', inSet({ objects: '100', 'stop-writes-count': '100' }), 'warning ALMOST_FULL', /100 in the set, of 100 \(stop-writes-count\)/, /shorten/],
  ['little room', both({ data_used_pct: '60' }), 'warning ALMOST_FULL', /60 % of the storage used, of 70 %/, /nodes/],
  ['little room to write to', both({ data_avail_pct: '9' }), 'warning ALMOST_FULL', /9 % of the storage free to write to, at least 5 %/, /storage/],
  ['little memory', ({ nodes: [{ statistics }] }) => Object.assign(statistics, { system_free_mem_kbytes: '1000', system_free_mem_pct: '12' }),
    'warning ALMOST_FULL', /88 % of the machine's memory used, of 90 %/, /memory/],
  ['clocks that stop writes', both({ clock_skew_stop_writes: 'true' }), 'problem CLOCK_STOPS_WRITES', /takes no writes/, /NTP/],
  ['rejected writes', both({ 'reject-non-xdr-writes': 'true' }), 'problem WRITES_REJECTED', /reject-non-xdr-writes/, /reject-non-xdr-writes to false/],
  ['evictions to come', both({ 'storage-engine.evict-used-pct': '60' }), 'warning EVICTION_ON', /evict-used-pct 60/, /set sessions param disable-eviction to true/],
  ['evictions that were', both({ 'evict-indexes-memory-pct': '60', evicted_objects: '7' }), 'warning EVICTED', /7 records/, /disable-eviction/],
  ['evictions now', both({ 'storage-engine.evict-used-pct': '60', hwm_breached: 'true' }), 'problem EVICTING', /logged out/, /disable-eviction/],
  ['refused TTLs', both({ 'nsup-period': '0' }), 'problem TTL_REFUSED', /never removes/, /nsup-period to 120/],
  ['refused TTLs, as a save has it', ({ smokeTest }) => { smokeTest.ttlRefused = true }, 'problem TTL_REFUSED', /never removes/, /nsup-period to 120/],
  ['TTLs without removal', both({ 'nsup-period': '0', 'allow-ttl-without-nsup': 'true' }), 'problem NEVER_REMOVED', /nothing removes/, /nsup-period to 120/],
  ['reads that extend', both({ 'default-read-touch-ttl-pct': '80' }), 'warning READS_EXTEND', /80 %/, /to 0/],
  ['reads of the set that extend', inSet({ 'default-read-touch-ttl-pct': '70' }), 'warning READS_EXTEND', /70 %/, /to 0/],
  ['dead partitions', both({ dead_partitions: '3' }), 'problem PARTITIONS_AWAY', /dead or unavailable/, /start the nodes/],
  ['disks in the Community Edition', both({ 'storage-engine': 'device', 'storage-engine.file[0]': '/data' }), 'note DELETES_COME_BACK', /forgets/, /'tombstones'/],
  ['disks in the Enterprise Edition', facts => {
    both({ 'storage-engine': 'device', 'storage-engine.device[0]': '/dev/sdb' })(facts)
    facts.nodes[0].edition = 'Aerospike Enterprise Edition'
  }, 'note DELETES_COME_BACK', /durably/, /'durableDelete'/],
  ['one copy', facts => { for (const { namespace } of copies(facts, 3)) namespace.effective_replication_factor = '1' }, 'warning ONE_COPY', /one node only/, /replication-factor 2/],
  ['nodes that cannot be reached', facts => { for (const { statistics } of copies(facts, 2)) statistics.cluster_size = '3' }, 'problem NODES_UNREACHABLE', /has 3 nodes, but only 2/, /--services-alternate/],
  ['a node that says nothing', facts => { copies(facts, 3)[1].error = 'no answer within 3000 ms' }, 'problem NODE_SILENT', /10\.0\.0\.1:3000 does not answer/, /look at that node/],
  ['a split cluster', facts => { copies(facts, 2)[1].statistics.cluster_key = 'OTHER' }, 'problem CLUSTER_SPLIT', /do not agree/, /heartbeats/],
  ['a namespace on some nodes only', facts => { delete copies(facts, 2)[1].namespace }, 'problem NO_NAMESPACE', /10\.0\.0\.1:3000 has no namespace 'test'/, /every node/],
  ['an old server', ({ nodes: [node] }) => { node.build = '5.7.0.1' }, 'problem TOO_OLD', /5\.7\.0\.1/, /6\.0/],
  ['a newer server', ({ nodes: [node] }) => { node.build = '9.0.0.0' }, 'note UNTESTED_VERSION', /8\.1/, /tests/],
  ['half an upgrade', facts => { copies(facts, 2)[1].build = '8.1.3.0' }, 'warning VERSIONS_DIFFER', /8\.1\.2\.0, .*8\.1\.3\.0/, /finish/],
  ['a clock ahead', facts => { facts.skews = [{ name: 'A', least: -5_100, most: -5_000 }] }, 'problem CLOCK_SKEW', /5\.1 s ahead/, /NTP/],
  ['a clock behind', facts => { facts.skews = [{ name: 'A', least: 0, most: 1 }, { name: 'B', least: 5_000, most: 5_100 }] }, 'problem CLOCK_SKEW', /5\.1 s behind/, /NTP/],
  ['clocks of nodes', ({ nodes: [{ statistics }] }) => { statistics.cluster_clock_skew_ms = '2500' }, 'problem NODES_DISAGREE', /2\.5 s apart/, /all nodes/],
  ['slow operations', ({ smokeTest }) => { smokeTest.times.get.p50 = 42.5 }, 'warning SLOW', /more than 42 ms/, /close/],
  ['operations that stall', ({ smokeTest }) => { smokeTest.times.save.max = 1_500 }, 'warning STALLS', /1500 ms, of the 3000 ms/, /stalls/],
  ['large sessions', facts => { facts.formats = { size: 6_144, map: 0.3, json: 0.15 } }, 'note JSON_IS_FASTER', /6.* KiB .* 0\.30 ms as a map, and 0\.15 ms as JSON/, /format: 'json'/],
  ['wrong answers', ({ smokeTest }) => { smokeTest.wrong = ['get'] }, 'problem WRONG_ANSWER', /what get answered/, /report/],
  ['what is left', ({ smokeTest }) => { smokeTest.left = 1; smokeTest.failures.delete = { code: 'TIMEOUT', message: 'late' } }, 'warning LEFT_BEHIND', /could not be removed/, /ten minutes/],
  ['what is left for good', ({ smokeTest }) => Object.assign(smokeTest, { left: 1, ttlRefused: true }), 'warning LEFT_BEHIND', /could not be removed/, /prune/],
  ['an index being built', ({ nodes: [node] }) => { node.indexes = [userIndex('WO')] }, 'note USER_INDEX_GROWING', /being built/, /wait/],
  ['an index that cannot be asked', facts => {
    facts.nodes[0].indexes = [userIndex('RW')]
    facts.userQuery = { code: 'AUTH', message: 'no' }
  }, 'problem USER_QUERY_FAILED', /cannot be looked for/, /role with read/]
])('finds %s', (_, change, expected, text, advice) => {
  const findings = found(change)
  const [level, code] = expected.split(' ')
  const of = findings.filter(finding => finding.code === code)
  expect(of).toEqual([expect.objectContaining({ level, text: expect.stringMatching(text), advice: expect.stringMatching(advice) })])
  // The finding is new, and everything else is still ok.
  expect(codes(found(() => {}))).not.toContain(expected)
  for (const finding of findings) expect(finding.advice === undefined).toBe(finding.level === 'ok')
})

/** Turns the namespace into one of server 6.4: other settings, and memory that holds data and indexes. */
const of64 = settings => ({ nodes: [node] }) => {
  node.build = '6.4.0.34'
  for (const name of Object.keys(node.namespace)) {
    if (/^storage-engine\.(?:evict|stop)|^evict-|data_|^indexes|^max-record-size/.test(name)) delete node.namespace[name]
  }
  Object.assign(node.namespace, {
    'high-water-memory-pct': '0',
    'high-water-disk-pct': '0',
    'stop-writes-pct': '90',
    'memory-size': '1073741824',
    memory_used_bytes: '1000000',
    memory_free_pct: '99',
    ...settings
  })
}

test('a real server of version 6.4 has no problems either', () => {
  const of = codes(found(of64({})))
  expect(of).toEqual(expect.arrayContaining(['ok ROOM', 'ok NO_EVICTION']))
  expect(of.filter(code => /^(?:problem|warning)/.test(code))).toEqual([])
})

test.each([
  ['evictions to come', { 'high-water-memory-pct': '60' }, 'warning EVICTION_ON', /high-water-memory-pct 60/],
  ['evictions that were, without a limit now', { evicted_objects: '1649' }, 'warning EVICTED', /1649 records/],
  ['evictions now', { 'high-water-memory-pct': '1', hwm_breached: 'true', evicted_objects: '1649' }, 'problem EVICTING', /high-water-memory-pct/],
  ['evictions for an unknown reason', { hwm_breached: 'true' }, 'problem EVICTING', /logged out/],
  ['little memory', { memory_used_bytes: '900000000' }, 'warning ALMOST_FULL', /83 % of the namespace's memory used, of 90 % \(stop-writes-pct\)/],
  ['little room on disk', { 'storage-engine.max-used-pct': '70', device_free_pct: '40' }, 'warning ALMOST_FULL', /60 % of the storage used, of 70 % \(max-used-pct\)/],
  ['little room to write to', { 'storage-engine.min-avail-pct': '5', device_available_pct: '9' }, 'warning ALMOST_FULL', /9 % .*at least 5 % \(min-avail-pct\)/]
])('finds %s on a server of version 6.4', (_, settings, expected, text) => {
  const [level, code] = expected.split(' ')
  expect(found(of64(settings)).filter(finding => finding.code === code)).toEqual([expect.objectContaining({ level, text: expect.stringMatching(text) })])
})

test('does not say that nothing is evicted if the server reports none of the limits', () => {
  expect(codes(found(({ nodes: [node] }) => { node.namespace = { 'nsup-period': '120', current_time: '1' } })).join()).not.toContain('NO_EVICTION')
})

function userIndex (state) {
  return { indexname: 'user-sessions', set: 'sessions', bin: 'user', type: 'string', indextype: 'default', state }
}

test('reports no eviction if it is disabled for the set', () => {
  const findings = found(facts => {
    both({ 'storage-engine.evict-used-pct': '60', evicted_objects: '7' })(facts)
    facts.nodes[0].set = { 'disable-eviction': 'true' }
  })
  expect(codes(findings)).toContain('ok NO_EVICTION')
})

test('skips checks of values that the server does not report', () => {
  const findings = found(({ nodes: [node] }) => {
    node.namespace = { 'nsup-period': '120', current_time: '1' }
    node.statistics = {}
  })
  expect(findings.filter(({ level }) => level === 'problem' || level === 'warning')).toEqual([])
  expect(JSON.stringify(findings)).not.toMatch(/NaN|undefined/)
})

test.each([
  ['ENOTFOUND', /no host of that name/, /DNS/],
  ['ETIMEDOUT', /nobody answers/, /firewall/],
  ['EHOSTUNREACH', /no way to that host/, /routes/],
  ['EWEIRD', /EWEIRD/, /--hosts/]
])('explains why a host fails with %s', (error, text, advice) => {
  const findings = check({
    ...real, seeds: [{ host: 'db:3000', error }], failure: { code: 'UNAVAILABLE', message: 'no Aerospike node could be reached' }, nodes: [], skews: [], smokeTest: undefined
  })
  expect(findings).toEqual([expect.objectContaining({
    code: 'HOST_UNREACHABLE', text: expect.stringMatching(text), advice: expect.stringMatching(advice)
  })])
})

test('turns answers of a node into facts, and errors into none', () => {
  const target = { namespace: 'test', set: 'sessions' }
  const facts = nodeFacts({
    name: 'A',
    address: '127.0.0.1:3000',
    error: null,
    answers: {
      build: '8.1.2.0',
      edition: 'Aerospike Community Edition',
      namespaces: 'test;bar',
      statistics: 'ERROR:81:role violation',
      'namespace/test': 'nsup-period=120;geo=1;storage-engine.file[0]=/a=b;stop_writes=false',
      'sets/test/sessions': 'objects=3:tombstones=0:disable-eviction=false;',
      'sindex-list:namespace=test;ns=test': 'ns=test:indexname=i:set=sessions:bin=user:type=string:indextype=default:context=null:exp=null:state=RW'
    }
  }, target)
  expect(facts).toEqual({
    name: 'A',
    address: '127.0.0.1:3000',
    build: '8.1.2.0',
    edition: 'Aerospike Community Edition',
    statistics: {},
    namespaces: ['test', 'bar'],
    namespace: { 'nsup-period': '120', stop_writes: 'false', 'storage-engine.file[0]': '/a=b' },
    set: { objects: '3', 'disable-eviction': 'false' },
    indexes: [{ indexname: 'i', set: 'sessions', bin: 'user', type: 'string', indextype: 'default', state: 'RW' }]
  })
})

test('more samples narrow the bounds of a clock', () => {
  const skew = 300
  // The node's clock is 300 ms ahead and shows whole seconds. Each answer takes 4 ms.
  const look = asked => bounds('A', Math.floor((asked + 2 + skew) / 1_000) - EPOCH, asked, asked + 4)
  let known
  for (let n = 0; n < 10; n++) {
    known = narrowed(known, look(EPOCH * 1_000 + n * 104))
    expect(known.least).toBeLessThanOrEqual(skew)
    expect(known.most).toBeGreaterThanOrEqual(skew)
  }
  expect(known.most - known.least).toBeLessThanOrEqual(120)
  // The clock was set in the meantime, so the earlier bounds are dropped.
  expect(narrowed(known, { name: 'A', least: 5_000, most: 6_000 })).toEqual({ name: 'A', least: 5_000, most: 6_000 })
})

test('computes percentiles of the measured times', () => {
  const hundred = Array.from({ length: 100 }, (_, n) => 100 - n)
  expect(percentiles(hundred)).toEqual({ count: 100, p50: 50, p95: 95, p99: 99, max: 100 })
  expect(percentiles([3])).toEqual({ count: 1, p50: 3, p95: 3, p99: 3, max: 3 })
})

test('docs/doctor.md lists every finding with its level, and no others', () => {
  const folder = path.join(__dirname, '../../lib/doctor/checks')
  const sources = fs.readdirSync(folder).map(file => fs.readFileSync(path.join(folder, file), 'utf8')).join('\n')
  const made = [...sources.matchAll(/found\.add\('(\w+)', '([A-Z_]+)'/g)].map(([, level, code]) => `${code} ${level}`)
  const page = fs.readFileSync(path.join(__dirname, '../../docs/doctor.md'), 'utf8')
  const documented = [...page.matchAll(/^\| `([A-Z_]+)` \| (\w+) \|/gm)].map(([, code, level]) => `${code} ${level}`)
  expect(made.length).toBeGreaterThan(30)
  expect([...new Set(documented)].sort()).toEqual([...new Set(made)].sort())
})
