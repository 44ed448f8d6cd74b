// What this shop keeps in its sessions.
import 'express-session'

declare module 'express-session' {
  interface SessionData {
    user: string
    cart: Record<string, number>
    loggedIn: Date | string
  }
}
