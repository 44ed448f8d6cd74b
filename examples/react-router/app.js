'use strict'

// Loaders and actions as in any React Router application, served without its build: only what a session needs.

const http = require('node:http')
const { createStaticHandler } = require('react-router')
const { store, getSession, commitSession, destroySession } = require('./sessions')

const { PORT = 8080 } = process.env

/** @param {Request} request */
const sessionOf = request => getSession(request.headers.get('Cookie'))

/**
 * @param {any} session
 * @param {string} cookie
 */
const answer = (session, cookie) => Response.json(
  { user: session?.get('user') ?? null, visits: session?.get('visits') ?? 0 },
  { headers: { 'Set-Cookie': cookie } }
)

/** @type {import('react-router').RouteObject[]} */
const routes = [{
  path: '/',
  async loader ({ request }) {
    const session = await sessionOf(request)
    session.set('visits', (session.get('visits') ?? 0) + 1)
    return answer(session, await commitSession(session))
  }
}, {
  path: '/login',
  async action ({ request }) {
    // A new id at every login protects against session fixation.
    await destroySession(await sessionOf(request))
    const session = await getSession()
    session.set('user', new URL(request.url).searchParams.get('name'))
    return answer(session, await commitSession(session))
  }
}, {
  path: '/logout',
  async action ({ request }) {
    return answer(null, await destroySession(await sessionOf(request)))
  }
}]

const { queryRoute } = createStaticHandler(routes)

/**
 * @param {http.IncomingMessage} req
 * @param {http.ServerResponse} res
 */
async function serve ({ method, url, headers }, res) {
  const init = { method, headers: /** @type {any} */ (headers) }
  /** @type {Response} */
  const response = await queryRoute(new Request(`http://localhost${url}`, init)).catch(error => {
    if (error.status === undefined) console.error(error)
    return new Response(null, { status: error.status ?? 500 })
  })
  res.writeHead(response.status, [...response.headers].flat())
  res.end(await response.text())
}

const server = http.createServer(serve).listen(Number(PORT), () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  console.log(`Listening on http://localhost:${port}`)
})
process.once('SIGTERM', () => server.close(() => store.close()))
