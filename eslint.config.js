'use strict'

const neostandard = require('neostandard')

module.exports = [
  ...neostandard({
    ts: true,
    ignores: ['lib/binding/', 'target/', '.cache/', 'coverage/']
  }),
  {
    files: ['**/*.d.ts', '**/*.d.mts'],
    rules: { '@stylistic/space-before-function-paren': ['error', 'never'] }
  },
  {
    files: ['**/__test__/**/*.test.js', '**/__test__/support/*.js'],
    languageOptions: {
      globals: Object.fromEntries(
        ['afterAll', 'afterEach', 'beforeAll', 'beforeEach', 'describe', 'expect', 'jest', 'test'].map(name => [name, 'readonly'])
      )
    }
  }
]
