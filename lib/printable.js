'use strict'

// Makes text from outside safe to print, such as session ids, node names and messages of a server. A terminal must not
// interpret any of it as a control sequence, and every character must be visible.

/**
 * Characters that control a terminal, change the order of the text around them, or are invisible: controls (C0, DEL, C1),
 * line and paragraph separators, lone surrogates, format characters (the marks and isolates of bidirectional text, zero-width
 * characters, tags), and everything else that Unicode lets displays ignore.
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
 * Returns a value as JSON with the same characters escaped. It parses to the same value.
 *
 * @param {any} value
 * @param {number} [indent]
 * @returns {string}
 */
function printableJson (value, indent) {
  // JSON strings contain no raw line feeds, so every line feed is part of the layout.
  return JSON.stringify(value, null, indent).replace(UNPRINTABLE, character => character === '\n' ? character : escaped(character))
}

/** @param {string} character */
function escaped (character) {
  return character.split('').map(unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')
}

module.exports = { printable, printableJson }
