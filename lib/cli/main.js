'use strict'

// Runs a command line: finds the command, parses its options, or shows help.

const { version } = require('../../package.json')
const { helpOfAll, helpOfCommand, helpOfGroup } = require('./help')
const { print, write } = require('./output')
const { UsageError, parse } = require('./usage')

/**
 * @typedef {import('./help').Command} Command
 * @typedef {import('./help').Group} Group
 */

/** The commands and groups, loaded when they are needed. @type {Record<string, { summary: string, load: () => Command | Group }>} */
const COMMANDS = {
  sessions: { summary: 'counts, lists and removes sessions, and prepares their set', load: () => require('./sessions') },
  limits: { summary: 'shows and resets the rate limits of a key', load: () => require('./limits') },
  doctor: { summary: 'looks at a cluster as sessions need it, and says what to do', load: () => require('./doctor') },
  'dev-server': { summary: 'runs an in-memory server, for development and tests only', load: () => require('./dev-server') },
  fault: { summary: 'breaks a dev server that runs, or takes its faults back', load: () => require('./fault') }
}
const NAMES = 'dev-server, fault, doctor, limits and sessions'

const HELP = /** @type {const} */ ({ help: { type: 'boolean', short: 'h' } })

/** @param {string[]} args */
async function main ([name, ...args]) {
  if (name === undefined) throw new UsageError('a command is missing: dev-server, fault, doctor, limits or sessions')
  if (name === '--version' || name === '-v') return print(version)
  if (name === '--help' || name === '-h') return write(helpOfAll(COMMANDS))
  if (name === 'help') return write(helpOf(args))
  if (name.startsWith('-')) throw new UsageError('the command comes first, and its options after it')
  const found = load(name)
  if (!isGroup(found)) return run(found, args)
  if (args[0] === '--help' || args[0] === '-h') return write(helpOfGroup(name, found))
  if (args[0] === undefined || args[0].startsWith('-')) throw new UsageError(`${name} ${found.needs}`)
  return run(memberOf(found, args[0]), args.slice(1), found)
}

/**
 * @param {Command} command
 * @param {string[]} args
 * @param {Group} [group]
 */
async function run (command, args, group) {
  const others = group === undefined ? [] : Object.entries(group.commands).map(([name, load]) => ({ name, options: load().options }))
  /** @type {{ values: Record<string, any>, positionals: string[] }} */
  const parsed = parse(args, { ...Object.assign({}, ...others.map(({ options }) => options)), ...command.options, ...HELP })
  if (parsed.values.help) return write(helpOfCommand(command))
  const stray = Object.keys(parsed.values).find(name => !Object.hasOwn(command.options, name))
  if (stray !== undefined) {
    const owners = others.filter(({ options }) => Object.hasOwn(options, stray)).map(({ name }) => name)
    throw new UsageError(`--${stray} belongs to ${owners.join(' and ')}`)
  }
  await command.run(parsed)
}

/** @param {string[]} path of a command, such as `sessions prune` */
function helpOf ([name, member, ...stray]) {
  if (name === undefined) return helpOfAll(COMMANDS)
  const found = load(name)
  const beyond = isGroup(found) ? stray[0] : member
  if (beyond !== undefined) throw new UsageError(`help takes no argument '${beyond}' here`)
  if (!isGroup(found)) return helpOfCommand(found)
  return member === undefined ? helpOfGroup(name, found) : helpOfCommand(memberOf(found, member))
}

/** @param {string} name */
function load (name) {
  if (!Object.hasOwn(COMMANDS, name)) throw new UsageError(`'${name}' is no command: there are ${NAMES}`)
  return COMMANDS[name].load()
}

/**
 * @param {Group} group
 * @param {string} name
 */
function memberOf (group, name) {
  if (!Object.hasOwn(group.commands, name)) throw new UsageError(group.wrong(name))
  return group.commands[name]()
}

/**
 * @param {Command | Group} found
 * @returns {found is Group}
 */
function isGroup (found) {
  return 'commands' in found
}

module.exports = { main }
