'use strict'

// Starts the Chromium of this machine.

const fs = require('node:fs')
const path = require('node:path')

const NAMES = ['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

/**
 * Returns the path in environment variable CHROMIUM, or else a Chromium on the PATH.
 * @returns {string | undefined}
 */
function findChromium () {
  if (process.env.CHROMIUM) return process.env.CHROMIUM
  const folders = (process.env.PATH ?? '').split(path.delimiter).filter(folder => folder !== '')
  return NAMES.flatMap(name => folders.map(folder => path.join(folder, name))).find(isExecutable)
}

function isExecutable (file) {
  try {
    fs.accessSync(file, fs.constants.X_OK)
    return fs.statSync(file).isFile()
  } catch {
    return false
  }
}

/** Starts Chromium without a window. */
function launchChromium (executablePath) {
  const { chromium } = require('playwright-core')
  // Root cannot use its sandbox.
  return chromium.launch({ executablePath, chromiumSandbox: process.getuid?.() !== 0 })
}

module.exports = { findChromium, launchChromium }
