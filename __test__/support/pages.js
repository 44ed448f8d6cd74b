'use strict'

// Parses README.md and the pages of docs/: fenced blocks, tables and links.

const fs = require('node:fs')
const path = require('node:path')

const ROOT = path.join(__dirname, '../..')

/**
 * @typedef {{ page: string, line: number, language: string, code: string, note: string | undefined,
 *   file: string | undefined }} Block
 * `note`: the comment before the block, which names its test; `file`: the file name that the block begins with
 */

/** Paths from the root. */
function pages () {
  const docs = fs.readdirSync(path.join(ROOT, 'docs')).filter(name => name.endsWith('.md'))
  return ['README.md', ...docs.map(name => `docs/${name}`)]
}

/** @param {string} page */
function textOf (page) {
  return fs.readFileSync(path.join(ROOT, page), 'utf8')
}

/**
 * @param {string} page
 * @returns {Block[]}
 */
function blocksOf (page) {
  const lines = textOf(page).split('\n')
  const blocks = []
  for (let at = 0; at < lines.length; at++) {
    const fence = /^(\s*)(`{3,}|~{3,})\s*(\S*)/.exec(lines[at])
    if (fence === null) continue
    const [, indent, ticks, language] = fence
    const start = at + 1
    while (++at < lines.length && lines[at].trim() !== ticks);
    const code = lines.slice(start, at).map(line => line.startsWith(indent) ? line.slice(indent.length) : line).join('\n') + '\n'
    let before = start - 2
    while (before > 0 && lines[before].trim() === '') before--
    blocks.push({
      page,
      line: start,
      language,
      code,
      note: /^<!-- (.*) -->$/.exec(lines[before]?.trim() ?? '')?.[1],
      file: /^(?:\/\/|#) (\S+\.(?:m?js|m?ts|json))\n/.exec(code)?.[1]
    })
  }
  return blocks
}

/** Inside the package, so that `require('aerospike-session')` finds it and every dependency. */
const CACHE = path.join(ROOT, '.cache')

/**
 * Creates a folder with the files of a page: the blocks that begin with a file name. The caller removes it.
 * @param {string} page
 */
function folderFor (page) {
  fs.mkdirSync(CACHE, { recursive: true })
  const folder = fs.mkdtempSync(path.join(CACHE, `${path.basename(page, '.md')}-`))
  for (const { file, code } of fs.existsSync(path.join(ROOT, page)) ? blocksOf(page) : []) {
    if (file === undefined) continue
    fs.mkdirSync(path.dirname(path.join(folder, file)), { recursive: true })
    fs.writeFileSync(path.join(folder, file), code)
  }
  return folder
}

/**
 * Returns the cells of a table's rows, by the table's first heading.
 * @param {string} page
 * @param {string} heading
 * @returns {string[][]}
 */
function rowsUnder (page, heading) {
  const rows = []
  for (const table of textOf(page).split(/\n(?!\|)/)) {
    const lines = table.split('\n').filter(line => line.startsWith('|'))
    const cells = lines.map(line => line.slice(1, line.lastIndexOf('|')).split(/(?<!\\)\|/).map(cell => cell.trim()))
    if (cells[0]?.[0] === heading) rows.push(...cells.slice(2))
  }
  return rows
}

/** Returns the headings of a page as GitHub's anchors. */
function anchorsOf (page) {
  const text = textOf(page).replace(/^```[^]*?^```$/gm, '')
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, title]) => title
    .replace(/`|\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase().replace(/[^\w\- ]/g, '').trim().replace(/ /g, '-'))
}

/** Returns the links of a page within this repository: `{ to, anchor }`. */
function linksOf (page) {
  const text = textOf(page).replace(/^```[^]*?^```$/gm, '')
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target).filter(target => !/^[a-z]+:/.test(target)).map(target => {
    const [file, anchor] = target.split('#')
    return { to: file === '' ? page : path.join(path.dirname(page), file), anchor }
  })
}

module.exports = { ROOT, anchorsOf, blocksOf, folderFor, linksOf, pages, rowsUnder, textOf }
