'use strict'

// Text that others wrote, such as session ids, node names and what a server says, made safe to print. A terminal must not
// obey any of it, and a reader must see all of it.

/**
 * Characters that a terminal obeys, that change the order of what stands beside them, or that nobody sees: controls (C0,
 * DEL, C1), line and paragraph separators, lone surrogates, format characters (the marks and isolates of bidirectional
 * text, zero-width characters, tags), and whatever else Unicode has displays ignore.
 */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu

/**
 * @param {string} text
 * @returns {string} the text, with `\u` and four hexadecimal digits in place of each UTF-16 unit of such a character
 */
function printable (text) {
  return text.replace(UNPRINTABLE, escaped)
}

/**
 * A value as JSON with the same characters escaped. It parses to the same value.
 *
 * @param {any} value
 * @param {number} [indent]
 * @returns {string}
 */
function printableJson (value, indent) {
  // Within a string JSON has no raw line feed: those that are there are the layout's.
  return JSON.stringify(value, null, indent).replace(UNPRINTABLE, character => character === '\n' ? character : escaped(character))
}

/** @param {string} character */
function escaped (character) {
  return character.split('').map(unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')
}

module.exports = { printable, printableJson }
