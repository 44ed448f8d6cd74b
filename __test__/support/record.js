'use strict'

// What of a raw record may give something away, and how docs/security.md says an encrypted one is made.

const crypto = require('node:crypto')

/** Everything in the bins, as one text in which any text that is there can be found. */
function everythingIn (bins) {
  return Object.entries(bins).map(([name, value]) => {
    const text = Buffer.isBuffer(value) ? value.toString('latin1') : JSON.stringify(value)
    return `${name}=${text}`
  }).join('\n')
}

const keyId = key => crypto.createHash('sha256').update(key).digest().subarray(0, 8)

/** The id of the key a bin was encrypted with. */
const keyIdOf = blob => blob.subarray(5, 13)

const recordKey = (key, digest) => crypto.createHmac('sha256', key)
  .update('aerospike-session record key 1').update(Buffer.from(digest, 'hex')).digest()

/** Opens a bin without a line of the package's own code. */
function open (key, digest, bin, blob, namespace = 'test') {
  const header = blob.subarray(0, 13)
  expect(header).toStrictEqual(Buffer.concat([Buffer.from('a573657302', 'hex'), keyId(key)]))
  const decipher = crypto.createDecipheriv('aes-256-gcm', recordKey(key, digest), blob.subarray(13, 25))
  decipher.setAAD(Buffer.concat([header, Buffer.from([namespace.length]), Buffer.from(namespace), Buffer.from(bin)]))
  decipher.setAuthTag(blob.subarray(-16))
  return JSON.parse(Buffer.concat([decipher.update(blob.subarray(25, -16)), decipher.final()]))
}

/** Encrypts a bin as version 1 of the layout did, whose associated data lacks the namespace. */
function sealVersion1 (key, digest, bin, value) {
  const [header, nonce] = [Buffer.concat([Buffer.from('a573657301', 'hex'), keyId(key)]), crypto.randomBytes(12)]
  const cipher = crypto.createCipheriv('aes-256-gcm', recordKey(key, digest), nonce)
  cipher.setAAD(Buffer.concat([header, Buffer.from(bin)]))
  return Buffer.concat([header, nonce, cipher.update(JSON.stringify(value)), cipher.final(), cipher.getAuthTag()])
}

module.exports = { everythingIn, keyId, keyIdOf, open, sealVersion1 }
