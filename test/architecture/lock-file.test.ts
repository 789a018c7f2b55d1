import assert from 'node:assert/strict'
import { readSource } from './source-tree.ts'

interface LockedPackage {
  version?: string
  optional?: boolean
  os?: string[]
  cpu?: string[]
  optionalDependencies?: Record<string, string>
}

describe('package-lock.json', () => {
  const { packages } = JSON.parse(readSource('package-lock.json')) as { packages: Record<string, LockedPackage> }

  // A registry mirror without them makes `npm install` leave them out, and then `npm ci` refuses the whole file.
  it('holds the optional packages of every platform', () => {
    const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).filter(name => !isLocked(path, name))
    )
    assert.deepEqual(missing, [])
  })

  it('gives every package a version, and what belongs to a platform is optional', () => {
    for (const [path, { version, optional, os, cpu }] of Object.entries(packages)) {
      assert.match(version ?? '', /^\d+\.\d+\.\d+/, path)
      assert.ok(optional === true || (os === undefined && cpu === undefined), path)
    }
  })

  /** Whether Node's lookup from `path` upwards ends at a locked package. */
  function isLocked(path: string, name: string): boolean {
    if (packages[`${path === '' ? '' : `${path}/`}node_modules/${name}`] !== undefined) {
      return true
    }
    const above = path.lastIndexOf('/node_modules/')
    return path !== '' && isLocked(above < 0 ? '' : path.slice(0, above), name)
  }
})
