'use strict'

/** What a terminal would take for a command. */
// eslint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/g

/**
 * Text that others wrote, with nothing in it that a terminal obeys.
 * @param {string} text
 */
function printable (text) {
  return text.replace(CONTROL, character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

module.exports = { printable }
