'use strict'

// The error handler of Express for sessions that could not be loaded or stored.

/**
 * Returns an error handler for Express: `app.use(sessionErrors())`, after the routes.
 *
 * @param {{ log?: (error: any, req: any) => void }} [options]
 */
function sessionErrors ({ log = report } = {}) {
  // Express recognizes an error handler by its four parameters.
  return (/** @type {any} */ error, /** @type {any} */ req, /** @type {any} */ res, /** @type {any} */ next) => {
    if (error?.name !== 'AerospikeSessionError') return next(error)
    // The answer is complete: only the session was not stored.
    if (res.writableEnded) return log(error, req)
    // The answer broke off: Express closes the connection.
    if (res.headersSent) return next(error)
    log(error, req)
    // Otherwise express-session would try to store the session again, at the end of this answer.
    req.session = null
    res.status(error.retryable ? 503 : 500).json({ code: error.code })
  }
}

/** @param {any} error */
function report ({ code, message }) {
  console.error(code, message)
}

module.exports = { sessionErrors }
