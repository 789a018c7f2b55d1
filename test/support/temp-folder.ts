import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Makes an empty folder before each test of the suite around it and removes it after. Returns its path. */
export function useTempFolder(): () => string {
  let folder: string | undefined
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cocoon-test-'))
  })
  afterEach(async () => {
    if (folder !== undefined) {
      await rm(folder, { recursive: true, force: true })
    }
  })
  return () => {
    if (folder === undefined) {
      throw new Error('The folder is there only while a test runs')
    }
    return folder
  }
}
