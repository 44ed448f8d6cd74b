'use strict'

// The help of all commands: of the command line, of a group such as `sessions`, and of one command.

const { version } = require('../../package.json')

/**
 * A command. `options` are for util.parseArgs. `optionsHelp` describes them, except --help. `text` is indented by two spaces.
 * @typedef {{ usage: string, summary: string, text: string, options: NonNullable<import('node:util').ParseArgsConfig['options']>,
 *   optionsHelp: string, example: string, exitCodes?: string, run: (parsed: { values: Record<string, any>, positionals: string[] }) => Promise<void> }} Command
 * @typedef {{ summary: string, text: string, needs: string, wrong: (name: string) => string, commands: Record<string, () => Command> }} Group
 */

const HELP_OPTION = '  --help              show this\n'

/** @param {Command} command */
function helpOfCommand ({ usage, text, optionsHelp, example, exitCodes }) {
  const codes = exitCodes === undefined ? '' : `\n${exitCodes}`
  return `Usage: aerospike-session ${usage}\n\n${text}\nOptions:\n${optionsHelp}${HELP_OPTION}\nExample:\n  aerospike-session ${example}\n${codes}`
}

/**
 * @param {string} name
 * @param {Group} group
 */
function helpOfGroup (name, { text, commands }) {
  const loaded = Object.values(commands).map(load => load())
  return `Usage: ${loaded.map(({ usage }) => `aerospike-session ${usage}`).join('\n       ')}\n\n` +
    `${list(Object.keys(commands).map((command, n) => [command, loaded[n].summary]))}\n${text}\n` +
    `The options of each command: aerospike-session help ${name} COMMAND\n`
}

/** @param {Record<string, { summary: string }>} commands */
function helpOfAll (commands) {
  return `aerospike-session ${version}\n\nUsage: aerospike-session COMMAND [options]\n\n` +
    `${list(Object.entries(commands).map(([name, { summary }]) => [name, summary]))}${list([['help [COMMAND]', 'shows the options of a command, with an example']])}\n` +
    'Options:\n  --help              show this\n  --version           show the version\n\n' +
    'Example:\n  aerospike-session help sessions prune\n'
}

/** @param {string[][]} rows names and what they do */
function list (rows) {
  return rows.map(([name, summary]) => `  ${name.padEnd(18)}  ${summary}\n`).join('')
}

module.exports = { helpOfAll, helpOfCommand, helpOfGroup }
