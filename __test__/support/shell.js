'use strict'

// Parses the commands of a shell block far enough to check them.

/**
 * @param {string} code
 * @returns {string[][]} words of each command, without what is set for its environment
 */
function commandsOf (code) {
  const commands = []
  let words = []
  let word
  const endWord = () => {
    if (word !== undefined) words.push(word)
    word = undefined
  }
  const endCommand = () => {
    endWord()
    while (/^[A-Z_]+=/.test(words[0] ?? '')) words.shift()
    if (words.length > 0) commands.push(words)
    words = []
  }
  const text = code.replace(/\\\n/g, ' ')
  for (let at = 0; at < text.length; at++) {
    const char = text[at]
    if (char === "'" || char === '"') {
      const end = text.indexOf(char, at + 1)
      if (end < 0) throw new Error(`a quote without an end: ${text.slice(at)}`)
      word = (word ?? '') + text.slice(at + 1, end)
      at = end
    } else if (char === '#' && word === undefined) {
      at = text.indexOf('\n', at) - 1
      if (at < 0) break
    } else if (char === '\n' || char === ';' || char === '|' || char === '&') endCommand()
    else if (char === ' ' || char === '\t') endWord()
    else word = (word ?? '') + char
  }
  endCommand()
  return commands
}

module.exports = { commandsOf }
