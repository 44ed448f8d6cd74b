'use strict'

// The chats with ws and socket.io. Each runs in two processes: a socket closes when its session ends, also by a request to the
// other process. docs/watching.md shows the essential lines.

const { WebSocket } = require('ws')
const { io } = require('socket.io-client')
const { freshSet, openStore } = require('../support/server')
const { Browser, openApp, testExample } = require('../support/site')

/** Resolves with the arguments of the next event. Unlike `once` of node:events, it does not reject with an event `error`. */
const next = (emitter, event) => new Promise(resolve => emitter.once(event, (...args) => resolve(args)))
const cookieOf = browser => [...browser.cookies].map(pair => pair.join('=')).join('; ')
const login = (browser, url, name) => browser.post(`${url}/login?name=${name}`)

const CHATS = [
  ['examples/chat-ws/app.js', class {
    messages = []

    constructor (url, browser) {
      this.socket = new WebSocket(url, { headers: { cookie: cookieOf(browser) } })
      this.refused = new Promise(resolve => this.socket.once('unexpected-response', (req, { statusCode }) => resolve(statusCode === 401)))
      this.socket.on('error', () => {})
      this.socket.on('message', text => this.messages.push(JSON.parse(text).text))
      this.ended = next(this.socket, 'close').then(([code, reason]) => code === 4_001 ? String(reason) : code)
      this.joined = next(this.socket, 'message')
    }

    say (text) {
      const answer = next(this.socket, 'message')
      this.socket.send(text)
      return answer
    }

    close () {
      this.socket.close()
    }
  }],
  ['examples/chat-socket-io/app.js', class {
    messages = []

    constructor (url, browser) {
      this.socket = io(url, { extraHeaders: { cookie: cookieOf(browser) }, reconnection: false, forceNew: true })
      this.refused = next(this.socket, 'connect_error').then(([{ message }]) => message === 'unauthorized')
      this.socket.on('message', ({ text }) => this.messages.push(text))
      this.ended = next(this.socket, 'disconnect').then(() => this.reason)
      this.socket.on('session ended', reason => { this.reason = reason })
      this.joined = next(this.socket, 'message')
    }

    say (text) {
      const answer = next(this.socket, 'message')
      this.socket.emit('message', text)
      return answer
    }

    close () {
      this.socket.close()
    }
  }]
]

describe.each(CHATS)('%s', (file, Chat) => {
  testExample(file)

  describe('in two processes', () => {
    const set = freshSet()
    openStore({ set, user: 'user' }).on('warning', () => {})
    let here, there
    beforeAll(async () => {
      [here, there] = await Promise.all([openApp(file, { AEROSPIKE_SET: set }), openApp(file, { AEROSPIKE_SET: set })])
    }, 30_000)

    async function join (name, app = here) {
      const browser = new Browser()
      await login(browser, app.url, name)
      const chat = new Chat(app.url, browser)
      await chat.joined
      return { browser, chat }
    }

    test('everyone in a process gets what one says', async () => {
      const [ada, grace] = [await join('ada'), await join('grace')]
      const heard = next(grace.chat.socket, 'message')
      await ada.chat.say('hello')
      await heard
      expect(grace.chat.messages).toContain('hello')
      ada.chat.close()
      grace.chat.close()
    })

    test('a visitor who is not logged in cannot join', async () => {
      const chat = new Chat(here.url, new Browser())
      expect(await chat.refused).toBe(true)
      chat.close()
    })

    test('a logout closes the sockets of the session and no others', async () => {
      const [ada, grace] = [await join('ada'), await join('grace')]
      const second = new Chat(here.url, ada.browser)
      await second.joined
      await ada.browser.post(`${here.url}/logout`)
      expect(await ada.chat.ended).toBe('gone')
      expect(await second.ended).toBe('gone')
      await grace.chat.say('still here')
      expect(grace.chat.messages).toContain('still here')
      grace.chat.close()
      const again = new Chat(here.url, ada.browser)
      expect(await again.refused).toBe(true)
      again.close()
    })

    test('a logout in another process closes the socket', async () => {
      const ada = await join('ada')
      await ada.browser.post(`${there.url}/logout`)
      expect(await ada.chat.ended).toBe('gone')
    }, 20_000)

    test('logging out everywhere closes the sockets in both processes', async () => {
      const [phone, laptop] = [await join('joan', here), await join('joan', there)]
      expect((await laptop.browser.post(`${there.url}/logout-everywhere`)).body).toEqual({ ended: 2 })
      expect(await laptop.chat.ended).toBe('gone')
      expect(await phone.chat.ended).toBe('gone')
    }, 20_000)
  })
})
