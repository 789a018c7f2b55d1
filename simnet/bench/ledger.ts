import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { withBooks } from './accept.ts'

const CHILD = fileURLToPath(new URL('ledger-child.js', import.meta.url))

/** Opens a provider's ledger of `channels` channels, each with a voucher, in a process of its own. */
export async function benchLedger(channels: number): Promise<Record<string, number>> {
  const folder = await mkdtemp(join(tmpdir(), 'cocoon-bench-ledger-'))
  try {
    await withBooks(folder, books =>
      Promise.all(
        Array.from({ length: channels }, async (_, salt) => {
          const channel = await books.admit(BigInt(salt))
          await books.payee.accept(books.voucher(channel, 1_000n))
        })
      )
    )
    const { stdout } = await promisify(execFile)(process.execPath, [CHILD, folder])
    const opened = JSON.parse(stdout) as { channels: number; openMs: number; rssBytes: number; addedBytes: number }
    if (opened.channels !== channels) {
      throw new Error(`The ledger came back with ${opened.channels} of ${channels} channels`)
    }
    return {
      channels,
      openMs: Math.round(opened.openMs),
      residentMiB: Math.round(opened.rssBytes / 2 ** 20),
      addedMiB: Math.round(opened.addedBytes / 2 ** 20)
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
