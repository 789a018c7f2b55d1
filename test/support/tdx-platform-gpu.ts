import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Writes an executable into `folder` that runs the stand-in for the GPU command; see `tdx-platform-gpu-main.ts`. */
export async function gpuCommand(folder: string, recorded: string, mode: string): Promise<string> {
  const main = join(dirname(fileURLToPath(import.meta.url)), 'tdx-platform-gpu-main.js')
  const path = join(folder, `ask-gpus-${mode}`)
  await writeFile(path, `#!/bin/sh\nexec '${process.execPath}' '${main}' '${recorded}' '${mode}' "$@"\n`, {
    mode: 0o700
  })
  return path
}
