'use strict'

// Gates at which requests pause until the test opens them. The app's process calls `pass`, and the test calls the other methods.

class Gates {
  /** @type {Map<string, { hasArrived: Promise<void>, arrive: () => void, isOpen: Promise<void>, open: () => void }>} */
  #gates = new Map()

  async pass (name) {
    if (!name) return
    this.#gate(name).arrive()
    await this.#gate(name).isOpen
  }

  /** Resolves when a request has reached the gate. */
  arrived (name) {
    return this.#gate(name).hasArrived
  }

  open (name) {
    this.#gate(name).open()
  }

  #gate (name) {
    let gate = this.#gates.get(name)
    if (gate !== undefined) return gate
    gate = {}
    gate.hasArrived = new Promise(resolve => { gate.arrive = resolve })
    gate.isOpen = new Promise(resolve => { gate.open = resolve })
    this.#gates.set(name, gate)
    return gate
  }
}

module.exports = { Gates }
