import { execFile } from 'node:child_process'
import { mkdir, open, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** What stands in for the kernel behind one entry. */
export interface FakeTsm {
  /** As the kernel calls it: `tdx_guest`, `sev_guest`. */
  readonly provider: string
  /** What `outblob` gives for the bytes that were written to `inblob`. */
  readonly answer: (inblob: Uint8Array) => Uint8Array
  readonly auxblob?: Uint8Array
}

/**
 * Makes entries as the kernel's configfs does, for `makeEntry` of `readTsmReport`: `inblob` and `outblob` are named pipes,
 * so that what is read was made from what was written. The kernel takes an entry's files away with it; here they go when
 * they were read.
 */
export function fakeTsmEntries(tsm: FakeTsm): {
  makeEntry: (path: string) => Promise<void>
  settled: () => Promise<void>
} {
  const serving: Array<Promise<void>> = []
  return {
    makeEntry: async path => {
      await mkdir(path)
      const [inblob, outblob, provider] = ['inblob', 'outblob', 'provider'].map(name => join(path, name)) as [
        string,
        string,
        string
      ]
      await run('mkfifo', [inblob, outblob])
      await writeFile(provider, `${tsm.provider}\n`)
      if (tsm.provider === 'sev_guest') {
        await run('mkfifo', [join(path, 'auxblob')])
      }
      serving.push(serve(path, tsm))
    },
    settled: async () => void (await Promise.all(serving))
  }
}

async function serve(path: string, tsm: FakeTsm): Promise<void> {
  const asked = await readAll(join(path, 'inblob'))
  await answer(join(path, 'outblob'), tsm.answer(asked), [join(path, 'inblob'), join(path, 'provider')])
  if (tsm.provider === 'sev_guest') {
    await answer(join(path, 'auxblob'), tsm.auxblob ?? new Uint8Array(), [])
  }
}

async function readAll(path: string): Promise<Uint8Array> {
  const file = await open(path, 'r')
  try {
    return new Uint8Array(await file.readFile())
  } finally {
    await file.close()
  }
}

/** Writes the pipe, and takes its name and others away before the reader sees its end. */
async function answer(path: string, bytes: Uint8Array, used: readonly string[]): Promise<void> {
  const file = await open(path, 'w')
  try {
    await file.writeFile(bytes)
    await Promise.all([path, ...used].map(name => unlink(name)))
  } finally {
    await file.close()
  }
}
