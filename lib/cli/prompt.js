'use strict'

// Reads a password from a terminal without showing it.

const readline = require('node:readline/promises')
const { Writable } = require('node:stream')

/**
 * @param {string} question
 * @returns {Promise<string | undefined>} undefined if there is no terminal
 */
async function askSecretly (question) {
  const { stdin: input, stderr } = process
  if (!input.isTTY || !stderr.isTTY) return undefined
  // Discards readline's echo.
  const output = new Writable({ write: (_chunk, _encoding, done) => done() })
  const terminal = readline.createInterface({ input, output, terminal: true, historySize: 0 })
  try {
    // Ctrl-C and Ctrl-D close without an answer.
    const ended = new Promise(resolve => terminal.once('close', () => resolve(undefined)))
    const answer = terminal.question('')
    // Printed only after readline has turned the terminal's echo off.
    stderr.write(question)
    return await Promise.race([answer, ended])
  } finally {
    terminal.close()
    stderr.write('\n')
  }
}

module.exports = { askSecretly }
