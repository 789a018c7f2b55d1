import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const SOURCES = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', 'src')

/** Every module that loads when `entry` does, as compiled: types are gone, `await import()` does not count. */
function loadedWith(entry: string, seen = new Set<string>()): Set<string> {
  if (seen.has(entry)) {
    return seen
  }
  seen.add(entry)
  if (existsSync(entry)) {
    for (const [, specifier = ''] of readFileSync(entry, 'utf8').matchAll(
      /^(?:import|export)\b[^;]*?from\s*'([^']+)'/gm
    )) {
      loadedWith(specifier.startsWith('.') ? join(dirname(entry), specifier) : specifier, seen)
    }
    for (const [, specifier = ''] of readFileSync(entry, 'utf8').matchAll(/^import\s*'([^']+)'/gm)) {
      loadedWith(specifier.startsWith('.') ? join(dirname(entry), specifier) : specifier, seen)
    }
  }
  return seen
}

describe("the host's handle", () => {
  it('loads neither the engine nor llama.cpp nor the enclave program', () => {
    const loaded = [...loadedWith(join(SOURCES, 'enclave', 'index.js'))]
    assert.ok(loaded.some(file => file.endsWith('enclave-process.js')))
    for (const part of [
      'node-llama-cpp',
      '@huggingface/jinja',
      '/inference/',
      'enclave/program.js',
      'enclave/main.js',
      '/attest/',
      '/seal/'
    ]) {
      assert.deepEqual(
        loaded.filter(file => file.includes(part)),
        [],
        part
      )
    }
  })

  it('would notice: the program itself loads the engine', () => {
    const loaded = [...loadedWith(join(SOURCES, 'enclave', 'main.js'))]
    assert.ok(loaded.some(file => file.includes('/inference/llama-engine.js')))
    assert.ok(!loaded.includes('node-llama-cpp'))
  })
})
