// The types that the example needs and neither package includes.

type Done = (error: unknown, value?: unknown) => void

declare module 'passport' {
  import { RequestHandler } from 'express'
  export function use(strategy: object): void
  export function serializeUser(serialize: (user: any, done: Done) => void): void
  export function deserializeUser(deserialize: (id: string, done: Done) => void): void
  export function session(): RequestHandler
  export function authenticate(strategy: string): RequestHandler
}

declare module 'passport-local' {
  export class Strategy {
    constructor(verify: (name: string, password: string, done: Done) => void)
  }
}
