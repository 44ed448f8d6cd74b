'use strict'

// The devices on which somebody is logged in: one session each.

const crypto = require('node:crypto')

/**
 * @typedef {import('aerospike-session').AerospikeStore} AerospikeStore
 * @typedef {{ id: string, name: string, isThis: boolean, loggedIn: number, seen: number }} Device
 */

// The first that fits: nearly all browsers also claim to be another.
const BROWSERS = { Edge: /\bEdgA?\//, Opera: /\bOPR\//, 'Samsung Internet': /\bSamsungBrowser\//, Firefox: /\b(Firefox|FxiOS)\//, Chrome: /(Chrome|CriOS|Chromium)\//, Safari: /\bSafari\// }
const SYSTEMS = { iPhone: /\biPhone\b/, iPad: /\biPad\b/, Android: /\bAndroid\b/, Windows: /\bWindows\b/, macOS: /\bMac OS X\b/, ChromeOS: /\bCrOS\b/, Linux: /\bLinux\b/ }

/**
 * What a visitor would call it: `Firefox on Android`.
 * @param {string} userAgent
 */
function nameOf (userAgent) {
  const find = (/** @type {Record<string, RegExp>} */ known) => Object.keys(known).find(name => known[name].test(userAgent))
  return [find(BROWSERS) ?? 'A browser', find(SYSTEMS)].filter(Boolean).join(' on ')
}

/** @param {import('express').Request} req */
const newDevice = req => ({ id: crypto.randomUUID(), name: nameOf(req.get('User-Agent') ?? '') })

/**
 * The sessions of this user that have a device, with their ids, which only the server gets to see.
 * @param {AerospikeStore} store
 * @param {string} user
 */
async function sessionsOf (store, user) {
  return (await store.sessionsOf(user)).filter(session => session.device !== undefined)
}

/**
 * This device first, then the others, the last seen first.
 *
 * @param {AerospikeStore} store
 * @param {import('express').Request} req
 * @returns {Promise<Device[]>}
 */
async function devicesOf (store, req) {
  const { user = '', device } = req.session
  return (await sessionsOf(store, user))
    .map(session => ({ ...session.device, isThis: session.device.id === device?.id, loggedIn: session.loggedIn, seen: session.seen }))
    .sort((a, b) => Number(b.isThis) - Number(a.isThis) || b.seen - a.seen)
}

/**
 * Logs one device of this user out; its name, or undefined if this user has no such device.
 *
 * @param {AerospikeStore} store
 * @param {string} user
 * @param {unknown} id
 */
async function logOut (store, user, id) {
  // Looked for among the user's own sessions: nobody can log out anybody else.
  const found = (await sessionsOf(store, user)).find(session => session.device.id === id)
  if (found?.id === undefined) return undefined
  await store.destroy(found.id)
  return found.device.name
}

module.exports = { devicesOf, logOut, nameOf, newDevice }
