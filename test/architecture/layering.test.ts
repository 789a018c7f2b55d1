import assert from 'node:assert/strict'
import { areaOf, forbidden, MAY_IMPORT } from './layering-rules.ts'
import { importClosure, importsOf, listSources, readSource } from './source-tree.ts'

const TRUSTED = ['core', 'wire', 'seal', 'attest', 'inference', 'enclave']

function complaints(file: string, text: string): string[] {
  return importsOf(file, text)
    .map(forbidden)
    .filter(reason => reason !== undefined)
}

describe('layering', () => {
  it('every import keeps to the table of areas', () => {
    const files = listSources('src', 'simnet', 'contracts')
    assert.ok(files.length > 100, `only ${files.length} sources found`)
    assert.deepEqual(
      files.flatMap(file => complaints(file, readSource(file))),
      []
    )
  })

  it('every area of src is in the table, and the table has no others', () => {
    const areas = new Set(listSources('src').map(file => areaOf(file) ?? file))
    assert.deepEqual([...areas].toSorted(), Object.keys(MAY_IMPORT).toSorted())
  })

  it('the table has no cycles', () => {
    const visit = (area: string, path: readonly string[]): void => {
      assert.ok(!path.includes(area), [...path, area].join(' → '))
      for (const below of MAY_IMPORT[area] ?? assert.fail(area)) {
        visit(below, [...path, area])
      }
    }
    for (const area of Object.keys(MAY_IMPORT)) {
      visit(area, [])
    }
  })

  it('the enclave program holds nothing but the trusted areas and their packages', () => {
    const { files, edges } = importClosure('src/enclave/main.ts', readSource)
    assert.deepEqual(
      files.filter(file => !TRUSTED.includes(areaOf(file) ?? '')),
      []
    )
    for (const area of TRUSTED) {
      assert.ok(
        files.some(file => areaOf(file) === area),
        `src/${area} is not in it: is this its entry?`
      )
    }
    const named = (pattern: RegExp) =>
      edges.filter(({ specifier }) => specifier === undefined || pattern.test(specifier))
    assert.deepEqual(named(/libp2p|^@ton|level$|commander|multiaddr/), [])
    assert.deepEqual(named(/^(?:node:)?(?:https?|http2|tls|dgram|cluster|worker_threads)$/), [])
    // The pipe to its host is the only socket it has.
    assert.deepEqual(
      named(/^node:net$/).filter(({ from }) => areaOf(from) !== 'enclave'),
      []
    )
  })

  describe('flags', () => {
    const cases: Array<[string, string, string]> = [
      ['a static import', 'src/core/a.ts', `import { b } from '../wire/b.ts'`],
      ['a side-effect import', 'src/seal/a.ts', `import '../wire/b.ts'`],
      ['a type-only import', 'src/ton/a.ts', `import type { B } from '../payments/b.ts'`],
      ['an inline type import', 'src/ton/a.ts', `import { type B } from '../payments/b.ts'`],
      ['an import type', 'src/client/a.ts', `export type B = import('../enclave/index.ts').B`],
      ['a dynamic import', 'src/market/a.ts', `export const b = () => import('../mesh/index.ts')`],
      ['a computed import', 'src/market/a.ts', `export const b = (name: string) => import(name)`],
      [
        'a require',
        'src/core/a.ts',
        `import { createRequire } from 'node:module'; export const b = createRequire(import.meta.url)`
      ],
      ['a resolved path', 'src/core/a.ts', `export const b = import.meta.resolve('../wire/b.ts')`],
      ['a re-export', 'src/wire/a.ts', `export { b } from '../mesh/b.ts'`],
      ['a re-export of everything', 'src/wire/a.ts', `export * from '../mesh/b.ts'`],
      ['a type re-export', 'src/wire/a.ts', `export type { B } from '../mesh/b.ts'`],
      ["an import without a space or in a comment's company", 'src/core/a.ts', `/* x */import{b}from'../wire/b.ts'`],
      ['an area that is not in the table', 'src/extras/a.ts', `import { b } from '../core/b.ts'`],
      ['a value of an area open for types only', 'src/cli/a.ts', `import { type A, b } from '../client/index.ts'`],
      ['a test', 'src/core/a.ts', `import { b } from '../../test/support/b.ts'`],
      ['the simnet outside its commands', 'src/node/a.ts', `import { b } from '../../simnet/b.ts'`],
      ['libp2p outside the mesh', 'src/node/a.ts', `import type { PeerId } from '@libp2p/interface'`],
      ['a libp2p transport', 'src/provider/a.ts', `import { noise } from '@chainsafe/libp2p-noise'`],
      ['TON outside src/ton', 'src/payments/a.ts', `import { Cell } from '@ton/core'`],
      ['the sandbox in src', 'src/ton/a.ts', `import { Blockchain } from '@ton/sandbox'`],
      ['llama.cpp outside inference', 'src/enclave/a.ts', `export const l = () => import('node-llama-cpp')`],
      ['LevelDB outside the wiring', 'src/payments/a.ts', `import { ClassicLevel } from 'classic-level'`],
      ['the simnet reaching into a node', 'simnet/a.ts', `import { Ledger } from '../src/payments/ledger.ts'`],
      ['the simnet running a command', 'simnet/a.ts', `import { ask } from '../src/cli/commands/ask.ts'`],
      [
        'the benchmark reaching behind an API',
        'simnet/bench/a.ts',
        `import { Ledger } from '../../src/payments/ledger.ts'`
      ],
      ['the simnet holding a mesh', 'simnet/a.ts', `import { createLibp2p } from 'libp2p'`]
    ]
    for (const [what, file, text] of cases) {
      it(what, () => assert.equal(complaints(file, text).length, 1))
    }
  })

  describe('lets pass', () => {
    const cases: Array<[string, string, string]> = [
      ['an area below', 'src/mesh/a.ts', `import { b } from '../wire/b.ts'; import 'libp2p'`],
      ['its own area', 'src/core/deep/a.ts', `import { b } from '../b.ts'`],
      ['types where only those are open', 'src/cli/commands/ask.ts', `import type { A } from '../../client/index.ts'`],
      [
        'the simnet in its commands',
        'src/cli/commands/simnet.ts',
        `const { up } = await import('../../../simnet/up.ts')`
      ],
      [
        'imports in texts and comments',
        'src/core/a.ts',
        '// import "libp2p"\nexport const a = `import { b } from "libp2p"`'
      ],
      ['a part timed by itself', 'simnet/bench/a.ts', `import { Ledger } from '../../src/payments/index.ts'`],
      ['the library API in the simnet', 'simnet/bench/a.ts', `import { createNode } from '../../src/index.ts'`]
    ]
    for (const [what, file, text] of cases) {
      it(what, () => assert.deepEqual(complaints(file, text), []))
    }
  })

  it('follows an import closure over types and dynamic imports', () => {
    const sources: Record<string, string> = {
      'src/enclave/main.ts': `import type { A } from './a.ts'; const b = await import('../core/b.ts')`,
      'src/enclave/a.ts': `export * from '../mesh/c.ts'`,
      'src/core/b.ts': `import 'zod'`,
      'src/mesh/c.ts': `import 'libp2p'; import '@libp2p/tcp/x'`
    }
    const { files, edges } = importClosure('src/enclave/main.ts', file => sources[file] ?? '')
    assert.deepEqual(files, Object.keys(sources).toSorted())
    assert.deepEqual(
      edges.flatMap(({ to }) => (to !== undefined && 'packageName' in to ? [to.packageName] : [])).toSorted(),
      ['@libp2p/tcp', 'libp2p', 'zod']
    )
  })
})
