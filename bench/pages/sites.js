'use strict'

// Express sites, one for each store in its own process.

const { Child } = require('../child')

/** @typedef {{ url: string, cookies: string[] }} Site its address, and the cookies of visitors who have logged in */

/** More than connections, because each connection serves several visitors in turn. */
const VISITORS = 512

class Sites {
  #places
  /** @type {Record<string, { child: Child, site: Site }>} */
  #sites = {}

  /** @param {import('../peers').Places} places */
  constructor (places) {
    this.#places = places
  }

  /** @param {string[]} stores */
  async open (stores) {
    for (const store of stores) {
      const child = new Child('pages/site-process.js', [store])
      this.#sites[store] = { child, site: { url: '', cookies: [] } }
      this.#sites[store].site = await child.ask('open', { store, ...this.#places, set: `${this.#places.set}-${store}`, visitors: VISITORS })
    }
  }

  /**
   * Loads a site, and measures what each of its pages costs the site's process.
   *
   * @template T
   * @param {string} store
   * @param {(site: Site) => Promise<T>} load
   * @returns {Promise<T & import('../clocks').Used>}
   */
  async under (store, load) {
    const { child, site } = this.#sites[store]
    await child.ask('start')
    const loaded = await load(site)
    return { ...loaded, ...await child.ask('used') }
  }

  /** Closes the stores and removes their sessions. */
  async close () {
    for (const { child } of Object.values(this.#sites)) await child.ask('close', { clear: true })
  }

  /** Ends the processes. */
  async end () {
    await Promise.all(Object.values(this.#sites).map(({ child }) => child.end()))
  }
}

module.exports = { Sites }
