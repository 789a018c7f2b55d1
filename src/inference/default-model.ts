import { join } from 'node:path'
import { packageInfo } from '../core/package-info.ts'

/**
 * Path of the pocket model that ships with the package.
 *
 * @throws {EnvironmentError} `PACKAGE_ROOT_NOT_FOUND`
 */
export function defaultModelPath(): string {
  return join(packageInfo().root, 'models', 'pocket', 'pocket.gguf')
}
