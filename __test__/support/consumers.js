'use strict'

// Processes that consume points of one key, each with many limiters of their own.

const path = require('node:path')
const { fork } = require('node:child_process')
const { once } = require('node:events')

const FILE = path.join(__dirname, 'consumers.js')

/**
 * Starts processes that consume points until all of them have made their calls.
 *
 * @param {object} options of the limiters, `key`, and how many: `processes`, `limiters` in each, `calls` of each limiter, and `together`, how
 *   many calls of a limiter are pending at once
 * @returns {Promise<{ allowed: number, refused: number, inDoubt: number, failed: number, codes: { [code: string]: number } }>} the sums
 */
async function consume ({ processes, ...work }) {
  const children = Array.from({ length: processes }, () => fork(FILE, { env: { ...process.env, CONSUME: JSON.stringify(work) } }))
  await Promise.all(children.map(child => once(child, 'message')))
  const results = children.map(child => once(child, 'message'))
  for (const child of children) child.send('go')
  const sums = { allowed: 0, refused: 0, inDoubt: 0, failed: 0, codes: {} }
  for (const [result] of await Promise.all(results)) {
    for (const name of ['allowed', 'refused', 'inDoubt', 'failed']) sums[name] += result[name]
    for (const [code, count] of Object.entries(result.codes)) sums.codes[code] = (sums.codes[code] ?? 0) + count
  }
  await Promise.all(children.map(async child => {
    const exit = once(child, 'exit')
    child.send('end')
    await exit
  }))
  return sums
}

async function main ({ key, limiters, calls, together, ...options }) {
  const { RateLimiter } = require('../../exports/rate-limit')
  process.on('warning', () => {})
  const all = Array.from({ length: limiters }, () => new RateLimiter(options))
  await Promise.all(all.map(limiter => limiter.client.ready()))
  process.send('ready')
  await once(process, 'message')
  const seen = { allowed: 0, refused: 0, inDoubt: 0, failed: 0, codes: {} }
  const call = async limiter => {
    try {
      const { allowed } = await limiter.consume(key)
      seen[allowed ? 'allowed' : 'refused'] += 1
    } catch (error) {
      seen[error.inDoubt ? 'inDoubt' : 'failed'] += 1
      seen.codes[error.code] = (seen.codes[error.code] ?? 0) + 1
    }
  }
  await Promise.all(all.map(async limiter => {
    let left = calls
    await Promise.all(Array.from({ length: together }, async () => { while (left-- > 0) await call(limiter) }))
  }))
  const ended = once(process, 'message')
  process.send(seen)
  await ended
  await Promise.all(all.map(limiter => limiter.close()))
  process.disconnect()
}

module.exports = { consume }

if (require.main === module) main(JSON.parse(process.env.CONSUME))
