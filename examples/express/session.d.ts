// What this shop keeps in its sessions.
import 'express-session'

declare module 'express-session' {
  interface SessionData {
    user: string
    cart: Record<string, number>
    /** By this id, and never by that of its session, a device is named in pages and forms. */
    device: { id: string, name: string }
    /** Milliseconds since 1970, as is `seen`: the last request, give or take a minute. */
    loggedIn: number
    seen: number
    /** What a form must send along: see csrf.js. */
    csrf: string
    /** A message for the next page. */
    notice: string
  }
}
