'use strict'

// The pages, as functions of the data that they show.

const { OWNER } = require('./logins')

/** @typedef {import('express-session').Session & Partial<import('express-session').SessionData>} Session */
/**
 * The data that every page for customers shows; `left` in milliseconds.
 * @typedef {{ path: string, user: string, csrf: string, notice?: string, left: number, cost?: import('./costs').Cost }} Frame
 */

/** @type {Record<string, { name: string, price: number }>} */
const PRODUCTS = {
  bread: { name: 'Rye bread', price: 4.2 },
  cheese: { name: 'Mountain cheese', price: 6.9 },
  olives: { name: 'Green olives', price: 3.5 },
  honey: { name: 'Forest honey', price: 7.8 },
  coffee: { name: 'Coffee beans', price: 9.4 },
  apples: { name: 'Red apples', price: 2.6 }
}

// html`…` escapes its values, unless they come from html`…` themselves.
class Html extends String {}
/** @param {any} value @returns {string} */
const put = value => value instanceof Html
  ? value.toString()
  : Array.isArray(value) ? value.map(put).join('') : String(value).replace(/[&<>"']/g, char => `&#${char.charCodeAt(0)};`)
/** @param {TemplateStringsArray} parts @param {any[]} values */
const html = (parts, ...values) => new Html(String.raw({ raw: parts }, ...values.map(put)))

/** @param {number} amount */
const euros = amount => `€ ${amount.toFixed(2)}`

/** @param {number} ms */
function duration (ms) {
  const seconds = Math.max(0, Math.round(ms / 1_000))
  if (seconds >= 2 * 86_400) return `${Math.floor(seconds / 86_400)} days`
  if (seconds >= 3_600) return `${Math.floor(seconds / 3_600)} h ${Math.floor(seconds / 60) % 60} min`
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
}

/** @param {number} time milliseconds since 1970 */
function ago (time) {
  const minutes = Math.floor((Date.now() - time) / 60_000)
  const text = minutes < 2
    ? 'just now'
    : minutes < 120 ? `${minutes} minutes ago` : minutes < 48 * 60 ? `${Math.floor(minutes / 60)} hours ago` : `${Math.floor(minutes / 1_440)} days ago`
  return html`<time datetime="${new Date(time).toISOString()}">${text}</time>`
}

/** @param {string} item */
const icon = item => html`<svg class="icon" aria-hidden="true"><use href="/goods.svg#${item}"></use></svg>`

/**
 * Returns a form with its token.
 * @param {string} action
 * @param {Frame} frame
 * @param {Html} body
 */
const form = (action, { csrf }, body) => html`<form method="post" action="${action}">
  <input type="hidden" name="csrf" value="${csrf}">${body}</form>`

/** @param {string} title @param {Html} body @param {Frame} [frame] */
const page = (title, body, frame) => html`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · Corner Shop</title>
<link rel="icon" href="/basket.svg">
<link rel="stylesheet" href="/style.css">
<script src="/countdown.js" defer></script>
${frame ? html`<script src="/ended.js" defer></script>` : ''}
<header>
  <a class="brand" href="/"><img src="/basket.svg" alt="" width="32" height="32"> Corner Shop</a>
  ${frame ? nav(frame) : ''}
</header>
<main>
${frame?.notice ? html`<p class="notice" role="status">${frame.notice}</p>` : ''}
${body}
</main>
${frame ? foot(frame) : ''}
</html>`.toString()

/** @param {Frame} frame */
const nav = frame => html`<nav aria-label="Pages">
    ${Object.entries({ '/': 'Shop', '/devices': 'Devices', '/session': 'Session' }).map(([path, name]) => html`
    <a href="${path}" ${path === frame.path ? html`aria-current="page"` : ''}>${name}</a>`)}
    ${form('/logout', frame, html`<button class="plain">Log out</button>`)}
  </nav>`

/** @param {Frame} frame */
const foot = ({ left, cost }) => html`<footer>
  <p>Without a click you are logged out in <b role="timer" data-left="${left}">${duration(left)}</b>.</p>
  ${cost === undefined
    ? ''
    : html`<p>The last request, <code>${cost.request}</code>, asked of the store:
  ${cost.operations.map(({ method, ms }, index) => html`${index > 0 ? ', ' : ''}<code>${method}</code> ${ms.toFixed(1)} ms`)}.</p>`}
</footer>`

/** @typedef {'ended' | 'wrong' | { devices: number } | { retryAfter: number }} Reason why somebody has to log in */

/** @param {Reason} reason */
function why (reason) {
  if (reason === 'wrong') return 'This name needs a password, and that was not it.'
  if (reason === 'ended') return 'You are no longer logged in: your time was up, or this device was logged out.'
  if ('retryAfter' in reason) return `Too many wrong passwords. Try again in ${reason.retryAfter} ${reason.retryAfter === 1 ? 'second' : 'seconds'}.`
  const devices = reason.devices === 1 ? 'one device' : `${reason.devices} devices`
  return `You are no longer logged in: you have logged in on another device. You can use ${devices} at a time, and this one was logged in first.`
}

/** @param {Reason | undefined} reason */
const loginPage = reason => page('Welcome', html`
<form class="card narrow" method="post" action="/login">
  <h1>Good day</h1>
  ${reason === undefined ? '' : html`<p class="notice" role="status">${why(reason)}</p>`}
  <label for="name">What shall we call you?</label>
  <input id="name" name="name" required maxlength="40" autocomplete="username" aria-describedby="any" autofocus>
  <p class="hint" id="any">Any name will do, and needs no password. Log in with the same name on another device, and look at your devices.</p>
  <details${reason === 'wrong' || (typeof reason === 'object' && 'retryAfter' in reason) ? html` open` : ''}>
    <summary>Log in with a password</summary>
    <label for="password">Password</label>
    <input id="password" name="password" type="password" autocomplete="current-password" aria-describedby="owner">
    <p class="hint" id="owner">Only the name <b>${OWNER.name}</b> has one: <b>${OWNER.password}</b>. Five wrong ones lock the name for a minute.</p>
  </details>
  <label class="check"><input type="checkbox" name="remember"> Remember me on this device</label>
  <button>Log in</button>
</form>`)

/** @param {Frame} frame @param {Record<string, number>} cart */
function shopPage (frame, cart) {
  const lines = Object.entries(cart).filter(([item]) => Object.hasOwn(PRODUCTS, item))
    .map(([item, count]) => ({ item, count, ...PRODUCTS[item] }))
  return page('Shop', html`
<div class="columns">
  <ul class="goods" aria-label="Goods">${Object.entries(PRODUCTS).map(([item, { name, price }]) => html`
    <li class="card" id="${item}">
      ${icon(item)}
      <h2>${name}</h2>
      <p>${euros(price)}</p>
      ${form('/cart/add', frame, html`<button name="item" value="${item}" aria-label="Add ${name} to the cart">Add${cart[item] > 0 ? ` · ${cart[item]}` : ''}</button>`)}
    </li>`)}
  </ul>
  ${cartOf(frame, lines)}
</div>`, frame)
}

/** @param {Frame} frame @param {{ item: string, count: number, name: string, price: number }[]} lines */
const cartOf = (frame, lines) => html`<section class="card cart" id="cart" aria-labelledby="cart-title">
    <h1 id="cart-title">${frame.user}’s cart</h1>
    ${lines.length === 0
      ? html`<p class="hint">Nothing in it yet.</p>`
      : html`<ul>${lines.map(({ item, name, count, price }) => html`
      <li><span>${count} × ${name}</span><span>${euros(count * price)}</span>
        ${form('/cart/remove', frame, html`<button class="plain" name="item" value="${item}" aria-label="Remove ${name}">✕</button>`)}</li>`)}
    </ul>
    <p class="total"><span>Total</span><span>${euros(lines.reduce((sum, { count, price }) => sum + count * price, 0))}</span></p>`}
  </section>`

/** @param {Frame} frame @param {import('./devices').Device[]} devices */
const devicesPage = (frame, devices) => page('Your devices', html`
<section class="card">
  <h1>Your devices</h1>
  <p class="hint">Wherever you are logged in as ${frame.user}. A device that you log out shows it at once.</p>
  <ul class="devices">${devices.map(({ id, name, isThis, loggedIn, seen }) => html`
    <li>
      <div><h2>${name}${isThis ? html` <span class="badge">this device</span>` : ''}</h2>
      <p class="hint">Last seen ${ago(seen)}, logged in ${ago(loggedIn)}</p></div>
      ${form('/devices/logout', frame, html`<button class="quiet" name="device" value="${id}" aria-label="Log out ${name}${isThis ? ', this device' : ''}">Log out</button>`)}
    </li>`)}
  </ul>
  ${devices.length > 1
    ? form('/devices/logout-others', frame, html`<button>Log out everywhere else</button>`)
    : html`<p class="hint">You are logged in nowhere else.</p>`}
</section>`, frame)

/** @param {Frame} frame @param {Session} session */
function sessionPage (frame, session) {
  const { cookie, csrf, ...data } = session
  const isRemembered = cookie.originalMaxAge !== null
  return page('Your session', html`
<section class="card">
  <h1>Your session</h1>
  <p>Every page gives it its full ${duration(frame.left)} again. ${isRemembered
    ? 'The browser keeps its cookie as long.'
    : 'The browser forgets its cookie when you close it.'}</p>
  <h2>What the server keeps, but for the secret of your forms</h2>
  <pre tabindex="0">${JSON.stringify(data, null, 2)}</pre>
  <h2>Its cookie</h2>
  <pre tabindex="0">${JSON.stringify(cookie, null, 2)}</pre>
</section>`, frame)
}

/** @param {string} message */
const errorPage = message => page('Sorry', html`
<section class="card narrow">
  <h1>Sorry</h1>
  <p>${message}</p>
  <p><a href="/">Back to the shop</a></p>
</section>`)

module.exports = { PRODUCTS, loginPage, shopPage, devicesPage, sessionPage, errorPage }
