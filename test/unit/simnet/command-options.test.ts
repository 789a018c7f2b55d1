import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

function weeks(...args: string[]): { status: number | null; lines: string[]; stdout: string } {
  const main = fileURLToPath(new URL('../../weeks/weeks-main.js', import.meta.url))
  const { status, stderr, stdout } = spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' })
  return { status, lines: stderr.trimEnd().split('\n'), stdout }
}

describe('a command of the development', () => {
  const usage = 'npm run weeks -- [--days 30] [--seed 1]'
  const cases: Array<[string, string[], RegExp]> = [
    ['an unknown option', ['--day', '3'], /^Unknown option '--day'/],
    ['an option without its value', ['--days'], /^Option '--days <value>' argument missing/],
    ['a word that it has no use for', ['three'], /^Unexpected argument 'three'/],
    ['a number that is none', ['--days', 'three'], /^--days is "three": expected a whole number from 1 to 3650$/],
    ['a number out of its range', ['--days', '0'], /^--days is "0": expected a whole number from 1 to 3650$/]
  ]
  for (const [what, args, expected] of cases) {
    it(`refuses ${what} in one line, with its usage, before it does anything`, () => {
      const { status, lines, stdout } = weeks(...args)
      assert.match(lines[0] ?? '', expected)
      assert.deepEqual([status, lines.slice(1), stdout], [2, [usage], ''])
    })
  }
})
