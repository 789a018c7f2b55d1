/**
 * The enclave program. It speaks over one socket, file descriptor 3, and nothing else: no file is written, no
 * console is used, and it ends the moment that socket does.
 */
import { Socket } from 'node:net'
import { systemClock } from '../core/clock.ts'
import { errorCode } from '../core/errors.ts'
import { packageInfo } from '../core/package-info.ts'
import { openLlamaEngine } from '../inference/index.ts'
import { bundleDigest } from './bundle-digest.ts'
import { openEvidenceSource } from './evidence/source.ts'
import { FramedPipe } from './framed-pipe.ts'
import { EnclaveProgram } from './program.ts'

const PIPE_FD = 3

/** The one line that may reach stderr: a code, no text of an error, which could hold content. */
function dieWith(code: string): never {
  process.stderr.write(`cocoon-enclave fatal ${code}\n`)
  process.exit(70)
}

/** At once, also while llama.cpp computes on other threads: there is nothing to save. */
function vanish(): void {
  process.kill(process.pid, 'SIGKILL')
}

function start(): void {
  // A terminal's signals are for the host, which ends answers in order. SIGUSR1 would open Node's debugger.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1'] as const) {
    process.on(signal, () => undefined)
  }
  process.on('uncaughtException', err => dieWith(safeCode(err)))
  process.on('unhandledRejection', err => dieWith(safeCode(err)))
  const program = new EnclaveProgram(
    {
      clock: systemClock,
      openEngine: openLlamaEngine,
      openEvidence: openEvidenceSource,
      send: reply => pipe.send(reply)
    },
    { software: { version: packageInfo().version, bundleDigest: bundleDigest() } }
  )
  const pipe = new FramedPipe(openSocket(), { onMessage: message => program.handle(message), onEnd: vanish })
}

function openSocket(): Socket {
  try {
    return new Socket({ fd: PIPE_FD })
  } catch {
    return dieWith('ENCLAVE_NO_PIPE')
  }
}

function safeCode(err: unknown): string {
  const code = errorCode(err)
  return code !== undefined && /^[A-Z][A-Z0-9_]{1,63}$/.test(code) ? code : 'ENCLAVE_FAILED'
}

start()
