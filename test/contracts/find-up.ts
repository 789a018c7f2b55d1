import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** A file of the project, found from wherever the compiled test lies. */
export function findUp(path: string): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const file = join(folder, path)
    if (existsSync(file)) {
      return file
    }
    if (folder === dirname(folder)) {
      throw new Error(`${path} was not found above ${import.meta.url}`)
    }
  }
}
