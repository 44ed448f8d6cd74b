'use strict'

// The example shop in a browser: headless Chromium. Without Chromium the tests are skipped with a message, unless
// BROWSER=required makes that a failure.

const fs = require('node:fs/promises')
const http = require('node:http')
const os = require('node:os')
const path = require('node:path')
const { once } = require('node:events')
const { DevServer } = require('../../exports/dev-server')
const { findChromium, launchChromium } = require('../support/chromium')
const { openShop: open } = require('../support/shop')

const executable = findChromium()

/** Skips the group if there is no browser, unless one is required. */
function describeInChromium (name, tests) {
  if (executable !== undefined || process.env.BROWSER === 'required') describe(name, tests)
  else describe.skip(`${name} (no Chromium on the PATH, nor in environment variable CHROMIUM)`, tests)
}

const PHONE = {
  viewport: { width: 360, height: 740 },
  userAgent: 'Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Mobile Safari/537.36',
  hasTouch: true,
  isMobile: true
}

describeInChromium('in a browser', () => {
  let folder, server, shop, chromium
  /** Errors in the browsers, such as script errors. Must be empty at the end of every test. */
  let browserErrors
  /** @type {Set<import('playwright-core').BrowserContext>} */
  const contexts = new Set()

  // The tests start their own dev server with a data file, because they stop and restart it.
  const startServer = async port => { server = await DevServer.start({ port, data: path.join(folder, 'data') }) }
  const openShop = env => open({ AEROSPIKE_HOSTS: server.hosts, ...env })

  beforeAll(async () => {
    folder = await fs.mkdtemp(path.join(os.tmpdir(), 'aerospike-session-'))
    await startServer(0)
    ;[shop, chromium] = await Promise.all([openShop(), launchChromium(executable)])
  }, 60_000)

  beforeEach(() => { browserErrors = [] })

  afterEach(async () => {
    for (const context of contexts) await context.close()
    contexts.clear()
    expect(browserErrors).toStrictEqual([])
  })

  afterAll(async () => {
    await chromium?.close()
    await shop?.close()
    await server?.stop()
    await fs.rm(folder, { recursive: true, force: true })
  })

  /** Opens a page in a new browser. */
  async function browse (options = {}) {
    const context = await chromium.newContext(options)
    context.setDefaultTimeout(10_000)
    contexts.add(context)
    context.on('weberror', error => browserErrors.push(String(error.error())))
    context.on('console', message => { if (['error', 'warning'].includes(message.type())) browserErrors.push(message.text()) })
    context.on('dialog', dialog => browserErrors.push(`a dialog: ${dialog.message()}`))
    return context.newPage()
  }

  /** Opens a page that is logged in. */
  async function logIn (name, { url = shop.url, remember = false, ...options } = {}) {
    const page = await browse(options)
    await page.goto(url)
    await page.getByLabel('What shall we call you?').fill(name)
    if (remember) await page.getByLabel('Remember me').check()
    await page.getByRole('button', { name: 'Log in' }).click()
    await page.getByRole('heading', { name: `${name}’s cart` }).waitFor()
    await page.waitForLoadState()
    return page
  }

  const add = (page, name) => page.getByRole('button', { name: `Add ${name}` }).click()
  const go = async (page, name) => {
    const loaded = page.waitForEvent('load')
    await page.getByRole('link', { name, exact: true }).click()
    await loaded
  }
  const see = (page, text) => page.getByText(text).first().waitFor()
  const devicesOf = page => page.locator('.devices h2').allInnerTexts()

  test('one browser logs out the other, together with all sessions of this user only', async () => {
    const laptop = await logIn('Ada')
    const phone = await logIn('Ada', PHONE)
    const grace = await logIn('Grace')
    await add(phone, 'Forest honey')
    await see(phone, '1 × Forest honey')

    await go(laptop, 'Devices')
    expect(await devicesOf(laptop)).toStrictEqual(['Chrome on Linux this device', 'Chrome on Android'])
    await laptop.getByRole('button', { name: 'Log out everywhere else' }).click()
    await see(laptop, 'One other device is logged out.')
    expect(await devicesOf(laptop)).toStrictEqual(['Chrome on Linux this device'])
    await see(laptop, 'You are logged in nowhere else.')

    // The page shows it without a click.
    await see(phone, 'You are no longer logged in')
    await go(grace, 'Shop')
    await see(grace, 'Grace’s cart')
    await laptop.reload()
    await see(laptop, 'Your devices')
  })

  test('one device is logged out, and the others stay', async () => {
    const laptop = await logIn('Joan')
    const phone = await logIn('Joan', PHONE)
    const tablet = await logIn('Joan', { userAgent: 'Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1' })
    await go(laptop, 'Devices')
    expect((await devicesOf(laptop)).sort()).toStrictEqual(['Chrome on Android', 'Chrome on Linux this device', 'Safari on iPad'])
    await laptop.getByRole('button', { name: 'Log out Chrome on Android' }).click()
    await see(laptop, 'Chrome on Android is logged out.')
    await see(phone, 'You are no longer logged in')
    await tablet.reload()
    await see(tablet, 'Joan’s cart')
    await laptop.getByRole('button', { name: 'Log out Chrome on Linux, this device' }).click()
    await laptop.getByRole('heading', { name: 'Good day' }).waitFor()
    await tablet.reload()
    await see(tablet, 'Joan’s cart')
  })

  test('a fourth device logs out the first one, whose page says why, in another process of the shop', async () => {
    const other = await openShop()
    const first = await logIn('Barbara')
    const others = []
    for (const url of [shop.url, other.url]) others.push(await logIn('Barbara', { ...PHONE, url }))
    expect(await first.getByText('Barbara’s cart').count()).toBe(1)
    // The page of the first device is served by one process, the login by the other.
    others.push(await logIn('Barbara', { url: other.url }))
    await see(first, 'you have logged in on another device')
    await see(first, 'You can use 3 devices at a time')
    expect(first.url()).toBe(`${shop.url}/?ended`)
    for (const page of others) {
      await page.reload()
      await see(page, 'Barbara’s cart')
    }
    await first.goto(shop.url)
    expect(await first.getByText('You are no longer logged in').count()).toBe(0)
    await other.close()
  })

  test('a session gets a new id from time to time, and no tab notices', async () => {
    const renewing = await openShop({ RENEW_SECONDS: '1' })
    const page = await logIn('Katherine', { url: renewing.url })
    const tab = await page.context().newPage()
    await tab.goto(`${renewing.url}/session`)
    const id = async () => (await page.context().cookies()).find(({ name }) => name === 'shop.sid').value
    const ids = new Set([await id()])
    for (let n = 1; ids.size < 4; n++) {
      await add(page, 'Rye bread')
      await see(page, `${n} × Rye bread`)
      await tab.reload()
      await see(tab, 'Your session')
      ids.add(await id())
    }
    // The page still learns when its session ends.
    const phone = await logIn('Katherine', { ...PHONE, url: renewing.url })
    await go(phone, 'Devices')
    await phone.getByRole('button', { name: 'Log out everywhere else' }).click()
    for (const one of [page, tab]) await see(one, 'You are no longer logged in')
    await renewing.close()
  })

  test('the time left counts down, and the page shows when it is over', async () => {
    const brief = await openShop({ SESSION_SECONDS: '5' })
    const page = await logIn('Ada', { url: brief.url })
    const seen = await page.evaluate(() => new Promise(resolve => {
      const timer = document.querySelector('[role=timer]')
      const seen = [timer.textContent]
      new window.MutationObserver(() => {
        // A timer may fire a millisecond early. It then shows the same text again.
        if (timer.textContent !== seen.at(-1)) seen.push(timer.textContent)
        if (seen.length === 3) resolve(seen)
      }).observe(timer, { childList: true })
    }))
    const seconds = seen.map(text => Number(/^0 min (\d) s$/.exec(text)[1]))
    expect(seconds[0] > seconds[1] && seconds[1] > seconds[2]).toBe(true)
    await see(page, 'You are no longer logged in')
    expect(page.url()).toBe(`${brief.url}/?ended`)
    await brief.close()
  })

  test('a second tab that keeps the session alive keeps it for the first one, too', async () => {
    const brief = await openShop({ SESSION_SECONDS: '5' })
    const page = await logIn('Ada', { url: brief.url })
    const other = await page.context().newPage()
    // The first tab asks the server when its time is over. Until then the second one asks all the time.
    while (page.url() !== `${brief.url}/?ended`) await other.goto(`${brief.url}/session`)
    await see(page, 'Ada’s cart')
    await brief.close()
  })

  test('a remembered visitor is logged in after the browser was closed, and others are not', async () => {
    for (const remember of [true, false]) {
      const page = await logIn('Ada', { remember })
      const state = await page.context().storageState()
      // A browser that closes keeps the cookies that have an expiry.
      const cookies = state.cookies.filter(({ expires }) => expires !== -1)
      expect(cookies.map(({ name, httpOnly, sameSite }) => ({ name, httpOnly, sameSite }))).toStrictEqual(remember ? [{ name: 'shop.sid', httpOnly: true, sameSite: 'Lax' }] : [])
      const later = await browse({ storageState: { ...state, cookies } })
      await later.goto(shop.url)
      await see(later, remember ? 'Ada’s cart' : 'Good day')
    }
  })

  test('a restart of the shop during a visit is not noticed', async () => {
    const first = await openShop()
    const page = await logIn('Ada', { url: first.url })
    await add(page, 'Rye bread')
    await see(page, '1 × Rye bread')
    // Idle connections of a browser do not prevent the exit.
    expect((await first.close()).code).toBe(0)
    const second = await openShop({ PORT: first.port })
    await add(page, 'Rye bread')
    await see(page, '2 × Rye bread')
    // The page listens to the shop, so the browser may have seen that it was away.
    await page.context().close()
    const isAway = error => error.includes('net::ERR_CONNECTION_REFUSED')
    browserErrors = browserErrors.filter(error => !isAway(error))
    await second.close()
  })

  test('a restart of the server shows an error page once. Afterwards all data is there, including the devices', async () => {
    const laptop = await logIn('Edsger')
    await logIn('Edsger', PHONE)
    await add(laptop, 'Red apples')
    await see(laptop, '1 × Red apples')
    const { port } = server
    await server.stop()
    await laptop.reload()
    await see(laptop, 'Sessions cannot be reached just now.')
    expect(browserErrors.splice(0)).toStrictEqual([expect.stringContaining('status of 503')])
    await startServer(port)
    await laptop.getByRole('link', { name: 'Back to the shop' }).click()
    await see(laptop, '1 × Red apples')
    await go(laptop, 'Devices')
    expect(await devicesOf(laptop)).toStrictEqual(['Chrome on Linux this device', 'Chrome on Android'])
  })

  test('everything except the countdown and the news of a logout works without JavaScript', async () => {
    const page = await logIn('Ada', { javaScriptEnabled: false })
    await add(page, 'Mountain cheese')
    await add(page, 'Mountain cheese')
    await see(page, '2 × Mountain cheese')
    await page.getByRole('button', { name: 'Remove Mountain cheese' }).click()
    await see(page, 'Nothing in it yet.')
    expect(await page.getByRole('timer').textContent()).toBe('30 min 0 s')
    const other = await logIn('Ada', { javaScriptEnabled: false, ...PHONE })
    await go(page, 'Devices')
    await page.getByRole('button', { name: 'Log out everywhere else' }).click()
    await see(page, 'logged out.')
    await go(other, 'Session')
    await see(other, 'You are no longer logged in')
    await go(page, 'Session')
    await see(page, 'Your session')
    await page.getByRole('button', { name: 'Log out' }).click()
    await see(page, 'Good day')
    await page.goBack()
    await see(page, 'Good day')
  })

  test('a page of another site cannot act for a logged-in customer', async () => {
    const page = await logIn('Ada')
    const other = await logIn('Ada', PHONE)
    const otherSite = http.createServer((req, res) => res.setHeader('content-type', 'text/html').end(`
      <form method="post" action="${shop.url}/devices/logout-others"><input name="csrf" value="guessed"><button>Win a prize</button></form>`))
    await once(otherSite.listen(0), 'listening')
    try {
      // The same host with another port is the same site, so SameSite cookies are sent.
      for (const host of ['localhost', '127.0.0.1']) {
        const tab = await page.context().newPage()
        await tab.goto(`http://${host}:${otherSite.address().port}`)
        await tab.getByRole('button').click()
        await see(tab, 'That form is not of this shop')
      }
    } finally {
      otherSite.closeAllConnections()
      otherSite.close()
    }
    expect(browserErrors.splice(0).filter(text => !text.includes('favicon'))).toStrictEqual([expect.stringContaining('403'), expect.stringContaining('403')])
    await other.reload()
    await see(other, 'Ada’s cart')
  })

  test('markup in a name is shown as text, and its scripts do not run', async () => {
    const page = await logIn('<script>alert(1)</script><img src=x>')
    for (const name of ['Devices', 'Session', 'Shop']) await go(page, name)
    expect(await page.locator('main script, main img').count()).toBe(0)
  })

  test('on a phone nothing is wider than the screen, and tap targets are large enough', async () => {
    const name = 'W'.repeat(40)
    for (const width of [360, 280]) {
      const page = await browse({ ...PHONE, viewport: { width, height: 700 } })
      const look = async () => expect(await page.evaluate(measure)).toStrictEqual({ overflow: 0, small: [] })
      await page.goto(shop.url)
      await look()
      await page.getByLabel('What shall we call you?').fill(name)
      await page.getByRole('button').click()
      await add(page, 'Rye bread')
      await see(page, '1 × Rye bread')
      for (const link of ['Shop', 'Devices', 'Session']) {
        await go(page, link)
        await look()
      }
      await page.goto(`${shop.url}/session`)
      await page.getByRole('button', { name: 'Log out' }).click()
    }
  })

  test.each(['light', 'dark'])('everything has a name, a visible focus and the contrast of WCAG AA: %s', async colorScheme => {
    const start = await browse({ colorScheme })
    await start.goto(shop.url)
    expect(await start.evaluate(accessibilityProblems)).toStrictEqual([])
    const page = await logIn('Ada', { colorScheme })
    await add(page, 'Rye bread')
    await see(page, '1 × Rye bread')
    for (const name of ['Shop', 'Devices', 'Session']) {
      await go(page, name)
      expect(await page.locator('[aria-current=page]').textContent()).toBe(name)
      expect(await page.evaluate(accessibilityProblems)).toStrictEqual([])
    }
    await page.keyboard.press('Tab')
    expect(await page.evaluate(() => {
      const { outlineStyle, outlineWidth } = window.getComputedStyle(document.activeElement)
      return { tag: document.activeElement.tagName, outlineStyle, outlineWidth }
    })).toStrictEqual({ tag: 'A', outlineStyle: 'solid', outlineWidth: '3px' })
  })

  // DEMO_IMAGE=docs/images/demo.png npm test -- shop-in-browser
  if (process.env.DEMO_IMAGE) {
    test('creates the picture for the documentation', async () => {
      const laptop = await logIn('Ada', { viewport: { width: 900, height: 620 } })
      await logIn('Ada', { userAgent: 'Mozilla/5.0 (Windows NT 10.0; rv:128.0) Gecko/20100101 Firefox/128.0' })
      const phone = await logIn('Ada', { ...PHONE, viewport: { width: 360, height: 720 }, colorScheme: 'dark', deviceScaleFactor: 2 })
      for (const name of ['Rye bread', 'Forest honey', 'Rye bread']) await add(laptop, name)
      await see(laptop, '2 × Rye bread')
      await laptop.evaluate(() => window.scrollTo(0, 0))
      await phone.reload()
      await go(phone, 'Devices')
      await see(phone, 'Log out everywhere else')
      const [one, two] = [await laptop.screenshot(), await phone.screenshot()]
      const both = await browse({ viewport: { width: 1272, height: 660 } })
      await both.setContent(together(one, two))
      await both.screenshot({ path: process.env.DEMO_IMAGE })
      expect((await fs.stat(process.env.DEMO_IMAGE)).size).toBeLessThan(200_000)
    })
  }
})

/**
 * Shows a laptop and a phone, side by side on a page.
 * @param {Buffer} laptop
 * @param {Buffer} phone
 */
const together = (laptop, phone) => `<style>
  body { margin: 0; padding: 20px; display: flex; gap: 20px; justify-content: space-between; background: #e4e7ea }
  img { display: block; border-radius: 10px }
  img + img { border-radius: 24px; border: 6px solid #000 }
  </style>${[[laptop, 900], [phone, 300]].map(([png, width]) => `<img width="${width}" src="data:image/png;base64,${png.toString('base64')}">`).join('')}`

// The following functions run in the page.

/** Returns how much wider than the screen the page is, and which tap targets are too small. */
function measure () {
  const small = [...document.querySelectorAll('button, input:not([type=hidden], [type=checkbox]), label:has(input), nav a')]
    .filter(element => {
      const { width, height } = element.getBoundingClientRect()
      return width < 44 || height < 44
    })
    .map(element => element.outerHTML)
  const { scrollWidth, clientWidth } = document.documentElement
  return { overflow: scrollWidth - clientWidth, small }
}

/** Returns accessibility problems. */
function accessibilityProblems () {
  const faults = []
  const labelled = element => element.labels?.length > 0 || element.getAttribute('aria-label') || element.textContent.trim()
  for (const element of document.querySelectorAll('input:not([type=hidden]), button, a')) {
    if (!labelled(element)) faults.push(`no name: ${element.outerHTML}`)
  }
  for (const image of document.querySelectorAll('img:not([alt]), svg:not([aria-hidden])')) faults.push(`no text: ${image.outerHTML}`)
  if (document.querySelectorAll('h1').length !== 1) faults.push('not one h1')
  if (!document.documentElement.lang || !document.title) faults.push('no language or title')
  if (new Set([...document.querySelectorAll('[id]')].map(({ id }) => id)).size !== document.querySelectorAll('[id]').length) faults.push('an id twice')

  // https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio
  const colour = text => text.match(/[\d.]+/g).map(Number)
  const luminance = rgb => rgb.slice(0, 3).map(part => part / 255)
    .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0)
  const behind = element => {
    for (; element !== null; element = element.parentElement) {
      const rgb = colour(window.getComputedStyle(element).backgroundColor)
      if (rgb[3] !== 0) return rgb
    }
    return [255, 255, 255]
  }
  for (const element of document.body.querySelectorAll('*')) {
    if (![...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim() !== '')) continue
    const [a, b] = [luminance(colour(window.getComputedStyle(element).color)), luminance(behind(element))]
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)
    if (ratio < 4.5) faults.push(`contrast ${ratio.toFixed(2)}: ${element.outerHTML}`)
  }
  return faults
}
