import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { EnvironmentError } from './errors.ts'

const PACKAGE_NAME = 'cocoon-node'

/** Where this package lies, and what it says of itself. */
export interface PackageInfo {
  root: string
  version: string
}

/**
 * Finds the package that this file belongs to. Compiled files lie at several depths below its root, so it is
 * found by name.
 *
 * @throws {EnvironmentError} `PACKAGE_ROOT_NOT_FOUND` if the compiled files were taken out of their package
 */
export function packageInfo(): PackageInfo {
  const start = dirname(fileURLToPath(import.meta.url))
  for (let folder = start; ; folder = dirname(folder)) {
    const version = versionIn(join(folder, 'package.json'))
    if (version !== undefined) {
      return { root: folder, version }
    }
    if (dirname(folder) === folder) {
      throw new EnvironmentError(
        'PACKAGE_ROOT_NOT_FOUND',
        `No package.json of ${PACKAGE_NAME} above ${start}: install the package again`
      )
    }
  }
}

function versionIn(file: string): string | undefined {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
  const { name, version } = JSON.parse(text) as { name?: string; version?: string }
  return name === PACKAGE_NAME ? version : undefined
}
