'use strict'

// The devices on which a user is logged in: one session each.

const crypto = require('node:crypto')

/**
 * @typedef {import('aerospike-session').AerospikeStore} AerospikeStore
 * @typedef {{ id: string, name: string, isThis: boolean, loggedIn: number, seen: number }} Device
 */

// The first match wins, because nearly all browsers also claim to be another one.
const BROWSERS = { Edge: /\bEdgA?\//, Opera: /\bOPR\//, 'Samsung Internet': /\bSamsungBrowser\//, Firefox: /\b(Firefox|FxiOS)\//, Chrome: /(Chrome|CriOS|Chromium)\//, Safari: /\bSafari\// }
const SYSTEMS = { iPhone: /\biPhone\b/, iPad: /\biPad\b/, Android: /\bAndroid\b/, Windows: /\bWindows\b/, macOS: /\bMac OS X\b/, ChromeOS: /\bCrOS\b/, Linux: /\bLinux\b/ }

/**
 * Returns a name that a visitor recognises: `Firefox on Android`.
 * @param {string} userAgent
 */
function nameOf (userAgent) {
  const find = (/** @type {Record<string, RegExp>} */ known) => Object.keys(known).find(name => known[name].test(userAgent))
  return [find(BROWSERS) ?? 'A browser', find(SYSTEMS)].filter(Boolean).join(' on ')
}

/** @param {import('express').Request} req */
const newDevice = req => ({ id: crypto.randomUUID(), name: nameOf(req.get('User-Agent') ?? '') })

/**
 * Returns this user's sessions that have a device, with their ids, which only the server sees.
 * @param {AerospikeStore} store
 * @param {string} user
 */
async function sessionsOf (store, user) {
  return (await store.sessionsOf(user)).filter(session => session.device !== undefined)
}

/**
 * Returns this device first, then the others by their last request.
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
 * Logs out one of this user's devices. Returns its name, or undefined if there is no such device.
 *
 * @param {AerospikeStore} store
 * @param {string} user
 * @param {unknown} id
 */
async function logOut (store, user, id) {
  // Searches only the user's own sessions, so that users cannot log out others.
  const found = (await sessionsOf(store, user)).find(session => session.device.id === id)
  if (found?.id === undefined) return undefined
  await store.destroy(found.id)
  return found.device.name
}

module.exports = { devicesOf, logOut, nameOf, newDevice }
