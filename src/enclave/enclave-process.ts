import { type ChildProcess, spawn } from 'node:child_process'
import type { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { EnvironmentError } from '../core/errors.ts'
import type { Logger } from '../core/logger.ts'
import { FramedPipe } from './framed-pipe.ts'

/** Only these reach the enclave: no NODE_OPTIONS, no debug switches, none of the host's secrets. */
const PASSED_ENVIRONMENT =
  /^(?:PATH|HOME|USERPROFILE|SystemRoot|TMPDIR|TEMP|LANG|LC_ALL|LD_LIBRARY_PATH|CUDA_.*|NVIDIA_.*|VK_.*|GGML_.*)$/

export interface EnclaveProcessInit {
  /** Compiled entry of the enclave program. */
  entry: string
  logger: Logger
  onMessage(message: Uint8Array): void
  /** The process is gone. Called once, whatever the cause. */
  onExit(): void
}

/** The operating-system side of an enclave: one child process, one socket. */
export class EnclaveProcess {
  readonly #child: ChildProcess
  readonly #pipe: FramedPipe
  readonly #gone: Promise<void>

  /** @throws {EnvironmentError} `ENCLAVE_SPAWN_FAILED` */
  constructor(init: EnclaveProcessInit) {
    this.#child = spawnProgram(init.entry)
    const socket = this.#child.stdio[3] as Socket | null | undefined
    if (this.#child.pid === undefined || socket === null || socket === undefined) {
      this.#child.on('error', () => undefined)
      throw new EnvironmentError(
        'ENCLAVE_SPAWN_FAILED',
        `The enclave program ${init.entry} does not start: check memory and process limits`
      )
    }
    this.#gone = new Promise(resolve => {
      this.#child.once('exit', () => {
        resolve()
        init.onExit()
      })
    })
    this.#pipe = new FramedPipe(socket, {
      onMessage: message => init.onMessage(message),
      // A pipe that broke while the process lives leaves nothing to talk to.
      onEnd: () => this.kill()
    })
    let stderrBytes = 0
    this.#child.stderr?.on('data', (bytes: Buffer) => {
      // Counted, never shown: a crash inside llama.cpp could print anything.
      stderrBytes += bytes.byteLength
      init.logger.warn('enclave wrote to stderr', { pid: this.pid, bytes: stderrBytes })
    })
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  send(message: Uint8Array): void {
    this.#pipe.send(message)
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }

  /** Ends the process and waits until it is gone. */
  async stop(): Promise<void> {
    this.kill()
    await this.#gone
  }
}

/** Path of the enclave program beside this file. */
export function defaultEntry(): string {
  return fileURLToPath(new URL('./main.js', import.meta.url))
}

function spawnProgram(entry: string): ChildProcess {
  const node = [process.execPath, '--no-warnings', entry] as const
  // Core dumps off: memory of a crashed enclave must not land on a disk. Node.js has no call for it, a shell does.
  const [command, ...args] =
    process.platform === 'win32' ? node : ['/bin/sh', '-c', 'ulimit -c 0; exec "$0" "$@"', ...node]
  return spawn(command, args, {
    // stdout goes nowhere, so that a stray print of a library cannot mix with the frames.
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    env: Object.fromEntries(Object.entries(process.env).filter(([name]) => PASSED_ENVIRONMENT.test(name))),
    // Its own process group: Ctrl-C in a terminal reaches the host alone.
    detached: true,
    windowsHide: true
  })
}
