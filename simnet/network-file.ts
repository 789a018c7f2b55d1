import { readFile, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import * as z from 'zod'
import { replaceFile } from '../src/config/atomic-file.ts'
import { EnvironmentError, errorCode } from '../src/core/errors.ts'

const networkSchema = z.object({
  version: z.literal(1),
  startedAtMs: z.int().min(0),
  /** `http://127.0.0.1:<port>`: faucet and health. */
  chainUrl: z.string(),
  /** What nodes take as `--chain`. */
  chainEndpoint: z.string(),
  chainPid: z.int(),
  clientHome: z.string(),
  /** Raw address. */
  clientWallet: z.string(),
  providers: z.array(
    z.object({
      name: z.string(),
      home: z.string(),
      peerId: z.string(),
      /** Raw address. */
      wallet: z.string(),
      pid: z.int(),
      enclavePid: z.int(),
      /** Digest: SHA-256 of the GGUF file, hex. */
      model: z.object({ name: z.string(), digest: z.string() }),
      addresses: z.array(z.string())
    })
  )
})

/** A running simulated network, as `simnet.json` tells other commands. */
export type Network = z.infer<typeof networkSchema>
export type NetworkProvider = Network['providers'][number]

/** Where `simnet up` keeps its network: what was named, else `$COCOON_SIMNET`, else `~/.cocoon/simnet`. */
export function simnetFolder(option?: string): string {
  const fromEnv = process.env['COCOON_SIMNET']
  return resolve(option ?? (fromEnv === undefined || fromEnv === '' ? join(homedir(), '.cocoon', 'simnet') : fromEnv))
}

export function networkFile(folder: string): string {
  return join(folder, 'simnet.json')
}

/**
 * Reads the network of a folder; undefined if there is none.
 *
 * @throws {EnvironmentError} `SIMNET_FILE_INVALID` if the file is not one of ours
 */
export async function readNetwork(folder: string): Promise<Network | undefined> {
  return await readChecked(networkFile(folder), networkSchema)
}

export async function writeNetwork(folder: string, network: Network): Promise<void> {
  await replaceFile(networkFile(folder), formatFile(network))
}

export async function removeNetwork(folder: string): Promise<void> {
  await rm(networkFile(folder), { force: true })
}

/**
 * Reads a file of the simnet; undefined if it does not exist.
 *
 * @throws {EnvironmentError} `SIMNET_FILE_INVALID`
 */
export async function readChecked<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> {
  try {
    return schema.parse(JSON.parse(await readFile(path, 'utf8')))
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT' || errorCode(cause) === 'ENOTDIR') {
      return undefined
    }
    const reason = errorCode(cause) ?? 'not written by this version of "cocoon-node simnet up"'
    throw new EnvironmentError(
      'SIMNET_FILE_INVALID',
      `${path} cannot be used (${reason}): end the processes it names and delete it`,
      {
        cause,
        details: { path, reason }
      }
    )
  }
}

export function formatFile(content: object): string {
  return `${JSON.stringify(content, undefined, 2)}\n`
}
