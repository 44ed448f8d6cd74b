'use strict'

// The pages, as functions of a session.

/** @typedef {import('express-session').Session & Partial<import('express-session').SessionData>} Session */

/** @type {Record<string, { icon: string, name: string, price: number }>} */
const PRODUCTS = {
  bread: { icon: '🍞', name: 'Rye bread', price: 4.2 },
  cheese: { icon: '🧀', name: 'Mountain cheese', price: 6.9 },
  olives: { icon: '🫒', name: 'Green olives', price: 3.5 },
  honey: { icon: '🍯', name: 'Forest honey', price: 7.8 },
  coffee: { icon: '☕️', name: 'Coffee beans', price: 9.4 },
  apples: { icon: '🍎', name: 'Red apples', price: 2.6 }
}

// html`…` escapes whatever is put into it, unless that is html`…` itself.
class Html extends String {}
/** @param {any} value @returns {string} */
const put = value => value instanceof Html
  ? value.toString()
  : Array.isArray(value) ? value.map(put).join('') : String(value).replace(/[&<>"']/g, char => `&#${char.charCodeAt(0)};`)
/** @param {TemplateStringsArray} parts @param {any[]} values */
const html = (parts, ...values) => new Html(String.raw({ raw: parts }, ...values.map(put)))

/** @param {number} amount */
const euros = amount => `€ ${amount.toFixed(2)}`

/** @param {string} title @param {Html} body @param {boolean} [loggedIn] */
const page = (title, body, loggedIn = false) => html`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · Corner Shop</title>
<link rel="icon" href="data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'><text y='13' font-size='13'>🧺</text></svg>">
<link rel="stylesheet" href="/style.css">
<header>
  <a class="brand" href="/">Corner Shop</a>
  ${loggedIn
    ? html`<nav><a href="/">Shop</a> <a href="/session">Session</a>
  <form method="post" action="/logout"><button class="plain">Log out</button></form></nav>`
    : ''}
</header>
<main>${body}</main>
</html>`.toString()

const loginPage = () => page('Welcome', html`
<form class="card narrow" method="post" action="/login">
  <h1>Good day</h1>
  <label for="name">What shall we call you?</label>
  <input id="name" name="name" required maxlength="40" autocomplete="username" autofocus>
  <button>Log in</button>
  <p class="hint">Any name will do: this shop asks for no password.</p>
</form>`)

/** @param {Session} session */
const shopPage = ({ user = '', cart = {} }) => {
  const lines = Object.entries(cart).filter(([item]) => Object.hasOwn(PRODUCTS, item))
    .map(([item, count]) => ({ item, count, ...PRODUCTS[item] }))
  const total = lines.reduce((sum, { count, price }) => sum + count * price, 0)
  return page('Shop', html`
<section class="goods">${Object.entries(PRODUCTS).map(([item, { icon, name, price }]) => html`
  <form class="card" method="post" action="/cart/add">
    <span class="icon" aria-hidden="true">${icon}</span>
    <h2>${name}</h2>
    <span>${euros(price)}</span>
    <button name="item" value="${item}" aria-label="Add ${name} to the cart">Add</button>
  </form>`)}
</section>
<section class="card cart" aria-label="Cart">
  <h1>${user}’s cart</h1>
  ${lines.length === 0
    ? html`<p class="hint">Nothing in it yet.</p>`
    : html`<ul>${lines.map(({ item, icon, name, count, price }) => html`
    <li><span>${icon} ${count} × ${name}</span><span>${euros(count * price)}</span>
      <form method="post" action="/cart/remove"><button class="plain" name="item" value="${item}" aria-label="Remove ${name}">✕</button></form></li>`)}
  </ul>
  <p class="total"><span>Total</span><span>${euros(total)}</span></p>`}
</section>`, true)
}

/** @param {Session} session */
const sessionPage = session => {
  const { cookie, ...data } = session
  const left = Math.round((cookie.maxAge ?? 0) / 1000)
  return page('Session', html`
<section class="card">
  <h1>Your session</h1>
  <p>It had <b>${Math.floor(left / 60)} min ${left % 60} s</b> left when you asked for this page, and has its full
  ${Math.round((cookie.originalMaxAge ?? 0) / 60_000)} minutes again now.</p>
  <meter min="0" max="${cookie.originalMaxAge ?? 0}" value="${cookie.maxAge ?? 0}">${left} s</meter>
  <h2>What the server keeps</h2>
  <pre>${JSON.stringify(data, null, 2)}</pre>
  <h2>Its cookie</h2>
  <pre>${JSON.stringify(cookie, null, 2)}</pre>
</section>`, true)
}

/** @param {string} message */
const errorPage = message => page('Sorry', html`
<section class="card narrow">
  <h1>Sorry</h1>
  <p>${message}</p>
  <p><a href="/">Back to the shop</a></p>
</section>`)

module.exports = { PRODUCTS, loginPage, shopPage, sessionPage, errorPage }
