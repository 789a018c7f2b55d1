import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { EnvironmentError } from '../core/errors.ts'

const PACKAGE_NAME = 'cocoon-node'

/**
 * Path of the pocket model that ships with the package. Compiled files lie at several depths below the
 * package, so its root is found by name.
 *
 * @throws {EnvironmentError} `PACKAGE_ROOT_NOT_FOUND` if these files were taken out of their package
 */
export function defaultModelPath(): string {
  return join(packageRoot(dirname(fileURLToPath(import.meta.url))), 'models', 'pocket', 'pocket.gguf')
}

function packageRoot(from: string): string {
  for (let folder = from; ; folder = dirname(folder)) {
    if (packageName(join(folder, 'package.json')) === PACKAGE_NAME) {
      return folder
    }
    if (dirname(folder) === folder) {
      throw new EnvironmentError('PACKAGE_ROOT_NOT_FOUND', `No package.json of ${PACKAGE_NAME} above ${from}: install the package again`)
    }
  }
}

function packageName(file: string): string | undefined {
  try {
    return (JSON.parse(readFileSync(file, 'utf8')) as { name?: string }).name
  } catch {
    return undefined
  }
}
