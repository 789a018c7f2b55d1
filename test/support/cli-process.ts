import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('./cli-main.js', import.meta.url))

/** A running `cocoon-node` command, as a process of its own. */
export class CliProcess {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>
  stdout = ''
  stderr = ''

  constructor(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.child = spawn(process.execPath, ['--no-warnings', MAIN, ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...env }
    })
    this.child.stdout.setEncoding('utf8').on('data', text => (this.stdout += text))
    this.child.stderr.setEncoding('utf8').on('data', text => (this.stderr += text))
  }

  /** Waits for the process to end. Returns its exit code, or the signal that ended it. */
  async ended(): Promise<number | NodeJS.Signals> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      await once(this.child, 'close')
    }
    return this.child.exitCode ?? (this.child.signalCode as NodeJS.Signals)
  }

  /** Lines of JSON on stdout so far. */
  events(): Array<Record<string, unknown>> {
    return this.stdout
      .split('\n')
      .filter(line => line.startsWith('{'))
      .map(line => JSON.parse(line) as Record<string, unknown>)
  }
}

/** Runs a command to its end. */
export async function runCli(
  args: readonly string[],
  options: { input?: string; env?: NodeJS.ProcessEnv } = {}
): Promise<{ code: number | NodeJS.Signals; stdout: string; stderr: string }> {
  const cli = new CliProcess(args, options.env)
  cli.child.stdin.end(options.input ?? '')
  const code = await cli.ended()
  return { code, stdout: cli.stdout, stderr: cli.stderr }
}
