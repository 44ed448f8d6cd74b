'use strict'

// Import cycles: which files import each other, in JavaScript and in Rust. Rust is read as text, without macros. A name that a
// module re-exports counts as an import of the file that defines it.

const path = require('node:path').posix
const { javascript, required, rust } = require('./rules')

/** @typedef {Map<string, Set<string>>} Graph the files that each file imports */

/**
 * Returns the strongly connected components of more than one file, by Tarjan's algorithm.
 * @param {Graph} graph
 * @returns {string[][]} each sorted, and sorted among each other
 */
function cycles (graph) {
  const found = []
  const state = new Map()
  const stack = []
  const visit = file => {
    const own = { index: state.size, low: state.size, isOnStack: true }
    state.set(file, own)
    stack.push(file)
    for (const target of graph.get(file) ?? []) {
      const seen = state.get(target)
      if (seen === undefined) own.low = Math.min(own.low, visit(target).low)
      else if (seen.isOnStack) own.low = Math.min(own.low, seen.index)
    }
    if (own.low === own.index) {
      const component = stack.splice(stack.indexOf(file))
      for (const member of component) state.get(member).isOnStack = false
      if (component.length > 1) found.push(component.sort())
    }
    return own
  }
  for (const file of graph.keys()) if (!state.has(file)) visit(file)
  return found.sort()
}

/**
 * @param {Map<string, string>} files texts by their paths
 * @returns {Graph}
 */
function javascriptImports (files) {
  const graph = new Map()
  for (const [file, text] of files) {
    if (!/\.m?js$/.test(file)) continue
    const targets = required(javascript(text)).filter(name => name.startsWith('.')).map(name => {
      const target = path.join(path.dirname(file), name)
      return [target, `${target}.js`, path.join(target, 'index.js')].find(one => files.has(one))
    })
    graph.set(file, new Set(targets.filter(target => target !== undefined && target !== file)))
  }
  return graph
}

/** Removes comments, strings and code that is compiled for tests only from Rust code. */
function withoutTests (text) {
  const code = rust(text)
  let kept = ''
  let from = 0
  for (const { index } of code.matchAll(/#\[cfg\((?:all\()?test\b[^\]]*\]\s*(?:#\[[^\]]*\]\s*)*(?:pub(?:\([^)]*\))?\s+)?(?=mod\b|use\b|fn\b|impl\b|async\b|struct\b)/g)) {
    if (index < from) continue
    kept += code.slice(from, index)
    from = endOfItem(code, index)
  }
  return kept + code.slice(from)
}

/** Returns the end of the item that begins here: after its semicolon, or after its block. */
function endOfItem (code, from) {
  let depth = 0
  for (let at = code.indexOf(']', from) + 1; at < code.length; at++) {
    if (code[at] === '{') depth++
    else if (code[at] === '}' && --depth === 0) return at + 1
    else if (code[at] === ';' && depth === 0) return at + 1
  }
  return code.length
}

/**
 * Returns the paths that a `use` names, without renaming: `a::{b, c::d as e}` is [a, b] and [a, c, d].
 * @param {string} tree
 * @returns {{ path: string[], as: string }[]}
 */
function usePaths (tree) {
  const open = tree.indexOf('{')
  if (open < 0) {
    const [full, as] = tree.trim().split(/\s+as\s+/)
    const segments = full.split('::').map(segment => segment.trim())
    if (segments.at(-1) === 'self') segments.pop()
    return [{ path: segments, as: as ?? segments.at(-1) }]
  }
  const prefix = tree.slice(0, open).split('::').map(segment => segment.trim()).filter(segment => segment !== '')
  const parts = []
  let depth = 0
  let part = ''
  for (const char of tree.slice(open + 1, tree.lastIndexOf('}'))) {
    if (char === '{') depth++
    else if (char === '}') depth--
    if (char === ',' && depth === 0) {
      parts.push(part)
      part = ''
    } else {
      part += char
    }
  }
  return [...parts, part].filter(one => one.trim() !== '').flatMap(one => usePaths(one)).map(({ path, as }) => ({ path: [...prefix, ...path], as }))
}

/**
 * @param {Map<string, string>} files texts by their paths
 * @param {string} root the folder of the crate's sources
 * @returns {Graph}
 */
function rustImports (files, root) {
  /** Modules by path: `store::merge` is ['store', 'merge'], joined by `::`. */
  const modules = new Map()
  const nameOf = file => {
    const segments = path.relative(root, file).replace(/\.rs$/, '').split('/')
    if (['mod', 'lib', 'main'].includes(segments.at(-1))) segments.pop()
    return segments
  }
  for (const [file, text] of files) {
    if (!file.startsWith(`${root}/`) || !file.endsWith('.rs')) continue
    const code = withoutTests(text)
    const uses = [...code.matchAll(/\buse\s+([^;]+);/g)].flatMap(([, tree]) => usePaths(tree))
    const rest = code.replace(/\buse\s+[^;]+;/g, '')
    const inline = [...rest.matchAll(/(?<![\w:])[a-z_]\w*(?:::\w+)+/g)].map(([name]) => ({ path: name.split('::'), as: '' }))
    modules.set(nameOf(file).join('::'), { file, name: nameOf(file), uses, inline })
  }

  /** Returns the file that defines the item at a path, as seen from a module; undefined if it is in another crate. */
  const fileOf = (from, names, seen = new Set()) => {
    let at = [...from.name]
    let rest = [...names]
    if (rest[0] === 'crate') at = []
    else if (rest[0] === 'self' || modules.has([...at, rest[0]].join('::'))) at = [...at]
    else if (rest[0] !== 'super') {
      // The name of an item that this module has imported, or of a module if more follows.
      const used = from.uses.find(use => use.as === rest[0] && use.path[0] !== rest[0])
      if (used === undefined || seen.has(used)) return undefined
      return fileOf(from, [...used.path, ...rest.slice(1)], seen.add(used))
    }
    if (['crate', 'self'].includes(rest[0])) rest = rest.slice(1)
    while (rest[0] === 'super') {
      at.pop()
      rest = rest.slice(1)
    }
    while (rest.length > 0 && modules.has([...at, rest[0]].join('::'))) at.push(rest.shift())
    const found = modules.get(at.join('::'))
    if (found === undefined || rest.length === 0) return found?.file
    const exported = found.uses.find(use => use.as === rest[0])
    if (exported === undefined || seen.has(exported)) return found.file
    return fileOf(found, [...exported.path, ...rest.slice(1)], seen.add(exported)) ?? found.file
  }

  const graph = new Map()
  for (const from of modules.values()) {
    const targets = [...from.uses, ...from.inline].map(({ path }) => fileOf(from, path))
    graph.set(from.file, new Set(targets.filter(target => target !== undefined && target !== from.file)))
  }
  return graph
}

module.exports = { cycles, javascriptImports, rustImports }
