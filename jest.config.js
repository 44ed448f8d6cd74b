'use strict'

/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: 'node',
  testMatch: ['<rootDir>/__test__/**/*.test.js'],
  globalSetup: '<rootDir>/__test__/support/global-setup.js',
  globalTeardown: '<rootDir>/__test__/support/global-teardown.js',
  // What cargo and the build leave behind is none of jest's business.
  modulePathIgnorePatterns: ['<rootDir>/target/', '<rootDir>/.cache/'],
  testTimeout: 15_000,
  maxWorkers: 2
}
