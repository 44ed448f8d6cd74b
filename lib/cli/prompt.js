'use strict'

// A password, from a terminal that does not show it.

const readline = require('node:readline/promises')
const { Writable } = require('node:stream')

/**
 * @param {string} question
 * @returns {Promise<string | undefined>} nothing, if there is nobody to ask
 */
async function askSecretly (question) {
  const { stdin: input, stderr } = process
  if (!input.isTTY || !stderr.isTTY) return undefined
  // What readline would show is shown to nobody.
  const output = new Writable({ write: (_chunk, _encoding, done) => done() })
  const terminal = readline.createInterface({ input, output, terminal: true, historySize: 0 })
  try {
    // Ctrl-C and Ctrl-D leave without an answer.
    const ended = new Promise(resolve => terminal.once('close', () => resolve(undefined)))
    const answer = terminal.question('')
    // Not before the terminal has stopped to show what is typed.
    stderr.write(question)
    return await Promise.race([answer, ended])
  } finally {
    terminal.close()
    stderr.write('\n')
  }
}

module.exports = { askSecretly }
