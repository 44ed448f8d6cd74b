'use strict'

// Inspects raw records, and encrypts and decrypts bins as docs/security.md documents.

const crypto = require('node:crypto')

/** Returns all bins as one text in which any stored text can be found. */
function everythingIn (bins) {
  return Object.entries(bins).map(([name, value]) => {
    const text = Buffer.isBuffer(value) ? value.toString('latin1') : JSON.stringify(value)
    return `${name}=${text}`
  }).join('\n')
}

const keyId = key => crypto.createHash('sha256').update(key).digest().subarray(0, 8)

/** Returns the id of the key that encrypted a bin. */
const keyIdOf = blob => blob.subarray(5, 13)

const recordKey = (key, digest) => crypto.createHmac('sha256', key)
  .update('aerospike-session record key 1').update(Buffer.from(digest, 'hex')).digest()

/** Decrypts a bin without the package's own code. */
function open (key, digest, bin, blob, namespace = 'test') {
  const header = blob.subarray(0, 13)
  expect(header).toStrictEqual(Buffer.concat([Buffer.from('a573657302', 'hex'), keyId(key)]))
  const decipher = crypto.createDecipheriv('aes-256-gcm', recordKey(key, digest), blob.subarray(13, 25))
  decipher.setAAD(Buffer.concat([header, Buffer.from([namespace.length]), Buffer.from(namespace), Buffer.from(bin)]))
  decipher.setAuthTag(blob.subarray(-16))
  return JSON.parse(Buffer.concat([decipher.update(blob.subarray(25, -16)), decipher.final()]))
}

/** Encrypts a bin in version 1 of the layout, whose associated data lacks the namespace. */
function sealVersion1 (key, digest, bin, value) {
  const [header, nonce] = [Buffer.concat([Buffer.from('a573657301', 'hex'), keyId(key)]), crypto.randomBytes(12)]
  const cipher = crypto.createCipheriv('aes-256-gcm', recordKey(key, digest), nonce)
  cipher.setAAD(Buffer.concat([header, Buffer.from(bin)]))
  return Buffer.concat([header, nonce, cipher.update(JSON.stringify(value)), cipher.final(), cipher.getAuthTag()])
}

module.exports = { everythingIn, keyId, keyIdOf, open, sealVersion1 }
