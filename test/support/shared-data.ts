import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * Path of data that lies beside the project (`../shared/...`), or undefined, said out loud, where it is missing: tests
 * then skip what needs it.
 */
export function sharedPath(...parts: string[]): string | undefined {
  const path = join(dirname(projectRoot()), 'shared', ...parts)
  if (existsSync(path)) {
    return path
  }
  console.warn(`SKIPPED: ../shared/${parts.join('/')} is not beside the project; the tests that read it do not run`)
  return undefined
}

/** The folder of `package.json`. Compiled tests lie at some depth below it, which depends on the output folder. */
export function projectRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder)
    if (parent === folder) {
      throw new Error('No package.json above the tests')
    }
    folder = parent
  }
  return folder
}
