'use strict'

// An OpenID provider on this machine, which logs in everyone as `ada`.

const crypto = require('node:crypto')
const http = require('node:http')
const { once } = require('node:events')

const CLIENT = 'shop'

async function openProvider () {
  const { privateKey, publicKey } = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 })
  /** The nonce of each login, by its code. */
  const logins = new Map()

  const server = http.createServer(async (req, res) => {
    let body = ''
    for await (const chunk of req) body += chunk
    const answer = answers[req.url]?.(new URLSearchParams(body))
    res.writeHead(answer === undefined ? 404 : 200, { 'content-type': 'application/json', connection: 'close' })
    res.end(JSON.stringify(answer))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const issuer = `http://127.0.0.1:${server.address().port}`

  function idToken (nonce) {
    const now = Math.floor(Date.now() / 1_000)
    const part = object => Buffer.from(JSON.stringify(object)).toString('base64url')
    const text = `${part({ alg: 'RS256', kid: 'one' })}.${part({ iss: issuer, sub: 'ada', aud: CLIENT, iat: now, exp: now + 600, nonce })}`
    return `${text}.${crypto.sign('sha256', Buffer.from(text), privateKey).toString('base64url')}`
  }

  const answers = {
    '/.well-known/openid-configuration': () => ({
      issuer,
      authorization_endpoint: `${issuer}/authorize`,
      token_endpoint: `${issuer}/token`,
      jwks_uri: `${issuer}/keys`,
      response_types_supported: ['code'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256']
    }),
    '/keys': () => ({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'one', use: 'sig', alg: 'RS256' }] }),
    '/token': body => ({ access_token: 'token', token_type: 'Bearer', id_token: idToken(logins.get(body.get('code'))) })
  }

  return {
    issuer,
    /** Returns the environment of an app that uses this provider. */
    env: { ISSUER_BASE_URL: issuer, CLIENT_ID: CLIENT, CLIENT_SECRET: 'only for tests' },
    /** Follows a login as the browser does, without the provider's page. */
    async login (browser, url) {
      const { location } = await browser.get(`${url}/login`)
      const { searchParams } = new URL(location)
      const code = crypto.randomUUID()
      logins.set(code, searchParams.get('nonce'))
      return browser.get(`${url}/callback?code=${code}&state=${searchParams.get('state')}`)
    },
    async close () {
      server.close()
      await once(server, 'close')
    }
  }
}

module.exports = { openProvider }
