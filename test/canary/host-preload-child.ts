// Loaded into a provider's host process before its own code: writes down every byte that its sockets carry (the pipe of
// the enclave, TCP, the chain's HTTP), and can put a leaking enclave in the place of the real one.
import childProcess, { type ChildProcess } from 'node:child_process'
import { appendFileSync, openSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { Socket } from 'node:net'
import { join } from 'node:path'

const folder = process.env['CANARY_CAPTURE'] ?? ''
const enclaveEntry = process.env['CANARY_ENCLAVE'] ?? ''
const logsStderr = process.env['CANARY_LOGS_STDERR'] === '1'

const files = new Map<string, number>()
const pipes = new WeakSet<object>()

function record(name: string, chunk: unknown, encoding?: unknown): void {
  const bytes =
    typeof chunk === 'string' ? Buffer.from(chunk, typeof encoding === 'string' ? (encoding as 'utf8') : 'utf8') : chunk
  if (bytes instanceof Uint8Array) {
    const file = files.get(name) ?? openSync(join(folder, name), 'a')
    files.set(name, file)
    appendFileSync(file, bytes)
  }
}

function kindOf(socket: Socket): string {
  return pipes.has(socket) ? 'enclave-pipe' : 'tcp'
}

for (const [name, direction] of [
  ['write', 'out'],
  ['push', 'in']
] as const) {
  const original = Reflect.get(Socket.prototype, name) as (...args: unknown[]) => unknown
  Reflect.set(Socket.prototype, name, function (this: Socket, ...args: unknown[]): unknown {
    record(`${kindOf(this)}-${direction}`, args[0], args[1])
    return Reflect.apply(original, this, args)
  })
}

const { spawn } = childProcess
childProcess.spawn = ((command: string, args: readonly string[], options: object) => {
  const swapped = args.map(arg => (enclaveEntry !== '' && arg.endsWith('/enclave/main.js') ? enclaveEntry : arg))
  const child = Reflect.apply(spawn, undefined, [command, swapped, options]) as ChildProcess
  for (const stream of child.stdio) {
    if (stream !== null && stream !== undefined) {
      pipes.add(stream)
    }
  }
  if (logsStderr) {
    // A host that logs what its enclave says: the mutant for logs.
    const log = join(process.env['CANARY_HOME'] ?? '', 'logs', 'enclave.log')
    child.stderr?.on('data', (bytes: Buffer) => appendFileSync(log, bytes))
  }
  return child
}) as typeof spawn
syncBuiltinESMExports()
