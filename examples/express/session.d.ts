// The data that this shop keeps in its sessions.
import 'express-session'

declare module 'express-session' {
  interface SessionData {
    user: string
    cart: Record<string, number>
    /** Identifies a device in pages and forms, instead of the session's id. */
    device: { id: string, name: string }
    /** Milliseconds since 1970, like `seen`: the time of the last request, accurate to a minute. */
    loggedIn: number
    seen: number
    /** The token that a form must contain: see csrf.js. */
    csrf: string
    /** A message for the next page. */
    notice: string
  }
}
