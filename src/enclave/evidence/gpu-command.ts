import { type ChildProcess, spawn } from 'node:child_process'
import { isAbsolute } from 'node:path'
import { DocumentFault, object, parseJson } from '../../attest/document.ts'
import { type GpuProof, gpuFields } from '../../attest/evidence.ts'
import { parseGpuReport } from '../../attest/nvidia/report.ts'
import { type AbortOptions, throwIfAborted, withTimeLimit } from '../../core/abort.ts'
import { sha256, toHex } from '../../core/bytes.ts'
import { EnvironmentError, errorCode, errorMessage } from '../../core/errors.ts'
import { LIMITS } from '../../wire/limits.ts'

/** Longest that the command may take, in milliseconds. */
export const GPU_COMMAND_TIME_LIMIT_MS = 30_000

/** Most that the command may print, in bytes: more would not fit into evidence. */
const MAX_OUTPUT_BYTES = LIMITS.evidenceBytes
/** The first line of its errors is shown up to here. */
const MAX_COMPLAINT = 120
const ENVIRONMENT = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C' }

/** What the GPUs answered to one nonce. */
export interface GpuProofs {
  readonly gpus: GpuProof[]
  readonly rims: string[]
  /** SHA-256 of each report, lower-case hex, as a statement names them. */
  readonly digests: string[]
}

const readOutput = object<Pick<GpuProofs, 'gpus' | 'rims'>>(gpuFields)

export interface GpuCommandOptions extends AbortOptions {
  /** @default {@link GPU_COMMAND_TIME_LIMIT_MS} */
  timeLimitMs?: number
}

/**
 * Runs the command that asks the GPUs (`docs/evidence.md` has its contract): the nonce in hex as its one argument, no
 * shell, no input, an environment of PATH and LANG only; one JSON document on standard output and exit code 0. The
 * command and all it started are killed when its time is over. Every report must answer the nonce, or it is refused here
 * rather than by every client.
 *
 * @param command absolute path of an executable
 * @param nonce 32 bytes
 * @throws {EnvironmentError} `EVIDENCE_GPU_UNAVAILABLE`, `EVIDENCE_GPU_FAILED`, `EVIDENCE_GPU_TIMEOUT`,
 *   `EVIDENCE_GPU_TOO_LARGE`, `EVIDENCE_GPU_INVALID`, `EVIDENCE_GPU_MISMATCH`
 * @throws {CancelledError} `CANCELLED`
 */
export async function runGpuCommand(
  command: string,
  nonce: Uint8Array,
  options: GpuCommandOptions = {}
): Promise<GpuProofs> {
  const { timeLimitMs = GPU_COMMAND_TIME_LIMIT_MS, signal } = options
  throwIfAborted(signal)
  if (!isAbsolute(command)) {
    throw new EnvironmentError('EVIDENCE_GPU_UNAVAILABLE', `The GPU command ${command} is not an absolute path`)
  }
  const output = await withTimeLimit(timeLimitMs, signal, limit => outputOf(command, toHex(nonce), limit)).catch(
    (err: unknown) => {
      throwIfAborted(signal)
      throw err
    }
  )
  const { gpus, rims } = parseOutput(output)
  const digests = gpus.map(gpu => digestOf(gpu, nonce))
  if (new Set(digests).size < digests.length) {
    throw failure('EVIDENCE_GPU_INVALID', "The GPU command's output has one report twice")
  }
  return { gpus, rims, digests }
}

function outputOf(command: string, argument: string, limit: AbortSignal): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    // A process group of its own, so that what it starts can be ended with it.
    const child = spawn(command, [argument], {
      cwd: '/',
      env: ENVIRONMENT,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: process.platform !== 'win32',
      windowsHide: true
    })
    const parts: Buffer[] = []
    let sizeBytes = 0
    let complaint = ''
    const fail = (code: GpuFailure, message: string, cause?: unknown): void => {
      limit.removeEventListener('abort', late)
      kill(child)
      reject(failure(code, message, cause))
    }
    const late = (): void => fail('EVIDENCE_GPU_TIMEOUT', `${command} did not end in time: it was killed`, limit.reason)
    limit.addEventListener('abort', late, { once: true })
    child.on('error', err =>
      fail('EVIDENCE_GPU_UNAVAILABLE', `${command} cannot be started (${errorCode(err) ?? 'unknown'})`, err)
    )
    child.stdout.on('data', (part: Buffer) => {
      sizeBytes += part.byteLength
      if (sizeBytes > MAX_OUTPUT_BYTES) {
        fail('EVIDENCE_GPU_TOO_LARGE', `${command} prints more than ${MAX_OUTPUT_BYTES} bytes`)
      } else {
        parts.push(part)
      }
    })
    child.stderr.on('data', (part: Buffer) => {
      complaint = complaint.length < MAX_COMPLAINT ? complaint + part.toString('latin1', 0, MAX_COMPLAINT) : complaint
    })
    child.on('close', (code, killedBy) => {
      limit.removeEventListener('abort', late)
      if (code === 0) {
        resolve(Buffer.concat(parts))
      } else {
        const end = killedBy === null ? `exit code ${code}` : `signal ${killedBy}`
        reject(failure('EVIDENCE_GPU_FAILED', `${command} ended with ${end}${firstLine(complaint)}`))
      }
    })
  })
}

function kill(child: ChildProcess): void {
  if (child.pid === undefined || process.platform === 'win32') {
    child.kill('SIGKILL')
    return
  }
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch {
    // It ended by itself.
  }
}

function parseOutput(output: Buffer): Pick<GpuProofs, 'gpus' | 'rims'> {
  try {
    const parsed = readOutput(parseJson(output), 'The output')
    if (parsed.gpus.length === 0) {
      throw new DocumentFault('The output names no GPU')
    }
    const missing = parsed.gpus.find(gpu => Math.max(gpu.driverRim, gpu.vbiosRim) >= parsed.rims.length)
    if (missing !== undefined) {
      throw new DocumentFault(
        `A GPU names golden measurements that are not among the ${parsed.rims.length} of the output`
      )
    }
    return parsed
  } catch (cause) {
    throw failure(
      'EVIDENCE_GPU_INVALID',
      `The GPU command's output is not in its format: ${errorMessage(cause)}`,
      cause
    )
  }
}

function digestOf(gpu: GpuProof, nonce: Uint8Array): string {
  const report = new Uint8Array(Buffer.from(gpu.report, 'base64'))
  let answered: Uint8Array
  try {
    answered = parseGpuReport(report).nonce
  } catch (cause) {
    throw failure('EVIDENCE_GPU_INVALID', `The GPU command's output holds no report: ${errorMessage(cause)}`, cause)
  }
  if (toHex(answered) !== toHex(nonce)) {
    throw failure(
      'EVIDENCE_GPU_MISMATCH',
      "A GPU's report answers another nonce than the one asked with: it is a replay"
    )
  }
  return toHex(sha256(report))
}

type GpuFailure =
  | 'EVIDENCE_GPU_UNAVAILABLE'
  | 'EVIDENCE_GPU_FAILED'
  | 'EVIDENCE_GPU_TIMEOUT'
  | 'EVIDENCE_GPU_TOO_LARGE'
  | 'EVIDENCE_GPU_INVALID'
  | 'EVIDENCE_GPU_MISMATCH'

function failure(code: GpuFailure, message: string, cause?: unknown): EnvironmentError {
  return new EnvironmentError(code, message, { cause })
}

function firstLine(complaint: string): string {
  const line = (complaint.trimStart().split(/[\r\n]/)[0] ?? '').replace(/[^\x20-\x7e]/g, '?').slice(0, MAX_COMPLAINT)
  return line === '' ? '' : `: ${line}`
}
