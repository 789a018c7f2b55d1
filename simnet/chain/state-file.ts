import { readFileSync } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { EnvironmentError, errorCode } from '../../src/core/errors.ts'
import type { SerializedChain } from './sim-chain.ts'

/**
 * Reads a saved chain.
 *
 * @returns undefined if the file does not exist
 * @throws {EnvironmentError} `SIMNET_STATE_INVALID` if it is not a chain of this version
 */
export function readStateFile(file: string): SerializedChain | undefined {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (err) {
    if (errorCode(err) === 'ENOENT') {
      return undefined
    }
    throw err
  }
  try {
    const saved: unknown = JSON.parse(text)
    if (isSerializedChain(saved)) {
      return saved
    }
  } catch (err) {
    throw invalid(file, err)
  }
  throw invalid(file)
}

/** Replaces the file as a whole: after a crash it holds the old or the new chain, never a mixture. */
export async function writeStateFile(file: string, chain: SerializedChain): Promise<void> {
  const scratch = `${file}.tmp`
  const handle = await open(scratch, 'w', 0o600)
  try {
    await handle.writeFile(JSON.stringify(chain))
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(scratch, file)
}

function isSerializedChain(value: unknown): value is SerializedChain {
  return (
    typeof value === 'object' &&
    value !== null &&
    'version' in value &&
    value.version === 1 &&
    'blockchain' in value &&
    'transactions' in value
  )
}

function invalid(file: string, cause?: unknown): EnvironmentError {
  return new EnvironmentError('SIMNET_STATE_INVALID', `${file} is not a saved chain: delete it to start a new one`, {
    cause
  })
}
