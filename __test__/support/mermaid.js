'use strict'

// Checks the structure of a Mermaid diagram, for the part of the grammar that docs/ uses. Rejects everything else, even if it
// is valid.

const NAME = '[A-Za-z][A-Za-z0-9_]*'
const OPENS = /^(alt|opt|loop|par|critical|break|rect)\b/
/** A semicolon ends a statement, and a number sign begins a character reference. Both would cut a text short. */
const UNSAFE = /[;#]/

/** @param {string} code */
function faultOf (code) {
  const [head, ...lines] = code.split('\n').map(line => line.trim()).filter(line => line !== '' && !line.startsWith('%%'))
  if (head === 'sequenceDiagram') return sequence(lines)
  if (/^flowchart (TD|TB|LR|RL|BT)$/.test(head)) return flowchart(lines)
  return `not known here: ${head}`
}

/** @param {string[]} lines */
function sequence (lines) {
  const declared = new Set()
  let open = 0
  for (const line of lines) {
    const participant = new RegExp(`^(?:participant|actor) (${NAME})(?: as (.+))?$`).exec(line)
    const message = new RegExp(`^(${NAME})(?:->>|-->>|-x|--x|-\\)|--\\))[+-]?(${NAME}): (.+)$`).exec(line)
    const note = new RegExp(`^Note (?:over|left of|right of) (${NAME})(?:,(${NAME}))?: (.+)$`).exec(line)
    const text = participant?.[2] ?? message?.[3] ?? note?.[3] ?? (OPENS.test(line) ? line : '')
    if (UNSAFE.test(text)) return `a text with ; or #: ${line}`
    if (participant !== null) declared.add(participant[1])
    else if (OPENS.test(line)) open++
    else if (line === 'end') open--
    else if (message === null && note === null && !/^(else|and|option)\b|^autonumber$/.test(line)) return `not understood: ${line}`
    const unknown = [message?.[1], message?.[2], note?.[1], note?.[2]].find(name => name !== undefined && !declared.has(name))
    if (unknown !== undefined) return `no participant ${unknown}: ${line}`
    if (open < 0) return 'an end too many'
  }
  return open > 0 ? 'an end is missing' : undefined
}

/** @param {string[]} lines */
function flowchart (lines) {
  const node = `${NAME}(?:\\["[^"]+"\\]|\\("[^"]+"\\)|\\[\\("[^"]+"\\)\\]|\\{"[^"]+"\\})?`
  const nodes = `${node}(?: & ${node})*`
  const link = '(?:-->|---|-\\.->|==>|<-->)(?:\\|"[^"]+"\\|)?'
  const statement = new RegExp(`^${nodes}(?: ${link} ${nodes})*$`)
  let open = 0
  for (const line of lines) {
    if (/#/.test(line)) return `a text with #: ${line}`
    if (new RegExp(`^subgraph ${NAME}(?:\\["[^"]+"\\])?$`).test(line)) open++
    else if (line === 'end') open--
    else if (!statement.test(line) && !/^direction (TD|TB|LR|RL|BT)$/.test(line)) return `not understood: ${line}`
    if (open < 0) return 'an end too many'
  }
  return open > 0 ? 'an end is missing' : undefined
}

module.exports = { faultOf }
