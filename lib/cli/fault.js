'use strict'

// The command `aerospike-session fault`: sets, lists or clears faults of a dev server in another process.

const { print } = require('./output')
const { UsageError } = require('./usage')

const TEXT = `  Breaks a dev server that runs, lists its faults, or takes all of them back.

  A fault is its kind and settings, in one argument:
    'latency ms=20 jitter=5 on=write'            'drop when=after times=1'
    'code code=KEY_BUSY probability=0.1 seed=1'  'reset when=midReply on=read,write'
    'overload'  'freeze lasts=3000'  'refuse lasts=3000'  'silent on=any'
  docs/testing.md explains them.
`

/** @param {string} text */
function isAddress (text) {
  const [, port] = /^\S+:(\d{1,5})$/.exec(text) ?? []
  return Number(port) >= 1 && Number(port) <= 65_535
}

/** @param {{ values: Record<string, any>, positionals: string[] }} parsed */
async function run ({ values: { list, clear, fault }, positionals: [address, ...texts] }) {
  if (address === undefined || !isAddress(address)) throw new UsageError('fault needs the HOST:PORT of a dev server')
  if (fault !== undefined) throw new UsageError('--fault belongs to the command dev-server: here a fault is an argument')
  if (Number(list ?? false) + Number(clear ?? false) + Number(texts.length > 0) !== 1) {
    throw new UsageError("fault takes either faults, such as 'latency ms=20', or --list, or --clear")
  }
  const { ask } = require('../dev-server/dev-server-client')
  const { formatFault, parseFault } = require('../dev-server/faults')
  const faults = texts.map(parseFault)
  const show = (/** @type {any} */ fault) => {
    print(`${fault.id}: ${formatFault(fault)} (struck ${fault.struck}${fault.isOver ? ', over' : ''})`)
  }
  if (clear) await ask(address, { command: 'clearFaults' })
  for (const fault of faults) show(await ask(address, { command: 'inject', fault }))
  if (list) for (const fault of await ask(address, { command: 'faults' })) show(fault)
}

/** @type {import('./help').Command} */
module.exports = {
  usage: 'fault HOST:PORT FAULT... | --list | --clear',
  summary: 'breaks a dev server that runs, or takes its faults back',
  text: TEXT,
  options: { list: { type: 'boolean' }, clear: { type: 'boolean' }, fault: { type: 'string', multiple: true } },
  optionsHelp: `  --list              list the faults, with how often each struck
  --clear             take all faults back
`,
  example: "fault localhost:3000 'latency ms=20 on=write'",
  run
}
