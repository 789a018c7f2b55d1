import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { sha256, toHex } from '../core/bytes.ts'
import { EnvironmentError } from '../core/errors.ts'

const HEADLINE = 'cocoon-enclave-bundle/1'

/** What the enclave program is made of. */
export interface EnclaveBundle {
  /** SHA-256 of {@link listing}, 32 bytes: what statements name the program by. */
  digest: Uint8Array
  /**
   * One line each, ended by a line feed: `cocoon-enclave-bundle/1`, `file <path> <SHA-256>` for every compiled file of
   * ours that the program loads, `package <name> <version> <integrity>` for every package it may load, as locked.
   */
  listing: string
  /** Paths from the source root, with `/`. */
  files: ReadonlyArray<{ path: string; sha256: string }>
  packages: ReadonlyArray<{ name: string; version: string; integrity: string }>
}

/** `bundle.json`, which the build writes beside the program. */
interface Manifest {
  files: string[]
  packages: Array<{ /** In the lock file. */ path: string; version: string; integrity: string }>
}

/**
 * The enclave program as it lies on this disk: exactly the files that its entry loads, whatever else a release holds,
 * and the packages of the lock file it was built with. A package that is installed in another version than the locked
 * one stands there with the installed version and `unlocked`. Node.js and the model are not in it.
 *
 * @param root folder of the compiled sources; by default the one this file runs from
 * @throws {EnvironmentError} `ENCLAVE_BUNDLE_BROKEN` if a file is missing
 */
export function enclaveBundle(root = dirname(dirname(fileURLToPath(import.meta.url)))): EnclaveBundle {
  try {
    const manifest = JSON.parse(readFileSync(join(root, 'enclave', 'bundle.json'), 'utf8')) as Manifest
    const files = manifest.files.map(path => ({ path, sha256: toHex(sha256(readFileSync(join(root, path)))) }))
    const packages = manifest.packages.map(locked => asInstalled(root, locked))
    const lines = [
      HEADLINE,
      ...files.map(file => `file ${file.path} ${file.sha256}`),
      ...packages.map(({ name, version, integrity }) => `package ${name} ${version} ${integrity}`)
    ]
    const listing = `${lines.join('\n')}\n`
    return { digest: sha256(Buffer.from(listing)), listing, files, packages }
  } catch (cause) {
    throw new EnvironmentError(
      'ENCLAVE_BUNDLE_BROKEN',
      `The enclave program in ${root} is not whole: build it again with "npm run build", or install the package again`,
      { cause }
    )
  }
}

/** {@link EnclaveBundle.digest} of the program this file belongs to, or of the one in `root`. */
export function bundleDigest(root?: string): Uint8Array {
  return enclaveBundle(root).digest
}

function asInstalled(
  root: string,
  { path, version: locked, integrity }: Manifest['packages'][number]
): EnclaveBundle['packages'][number] {
  const names = path
    .split('node_modules/')
    .slice(1)
    .map(name => name.replace(/\/$/, ''))
  const name = names.at(-1) ?? ''
  const version = installedVersion(root, names)
  // Packages of other platforms are locked and not installed.
  return version === undefined || version === locked
    ? { name, version: locked, integrity }
    : { name, version, integrity: 'unlocked' }
}

/** Follows Node.js's search through `node_modules` for the last of `names`, each seen from the one before. */
function installedVersion(root: string, names: readonly string[]): string | undefined {
  let folder = root
  for (const name of names) {
    const found = findPackage(folder, name)
    if (found === undefined) {
      return undefined
    }
    folder = found
  }
  return (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string }).version
}

function findPackage(from: string, name: string): string | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    const found = join(folder, 'node_modules', name)
    if (existsSync(join(found, 'package.json'))) {
      return found
    }
    if (dirname(folder) === folder) {
      return undefined
    }
  }
}
