import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { CliProcess } from '../support/cli-process.ts'
import { until } from '../support/until.ts'
import { descendants } from './process-memory.ts'

const PRELOAD = fileURLToPath(new URL('./host-preload-child.js', import.meta.url))

export interface HostInit {
  home: string
  /** Where everything its sockets carry is written. */
  capture: string
  /** Working folder, folder of temporary files and home folder of the user. */
  scratch: string
  /** Compiled enclave program in the place of the shipped one. */
  enclaveEntry?: string | undefined
  /** Make it log what the enclave writes to stderr, which the shipped one never does. */
  logsStderr?: boolean | undefined
}

/** `cocoon-node provide` as a process of its own, watched. */
export class HostProcess {
  readonly #cli: CliProcess
  readonly pid: number
  #enclavePid = 0

  private constructor(cli: CliProcess) {
    this.#cli = cli
    this.pid = cli.child.pid ?? 0
  }

  /** Resolves once it can be found. */
  static async start(init: HostInit): Promise<HostProcess> {
    const file = join(init.home, 'config.json')
    const config = JSON.parse(await readFile(file, 'utf8')) as object
    await writeFile(file, JSON.stringify({ ...config, logLevel: 'debug' }))
    const cli = new CliProcess(['provide', '--home', init.home, '--threads', '1', '--slots', '2', '--json'], {
      NODE_OPTIONS: `--import ${pathToFileURL(PRELOAD).href}`,
      CANARY_CAPTURE: init.capture,
      CANARY_HOME: init.home,
      CANARY_ENCLAVE: init.enclaveEntry ?? '',
      CANARY_LOGS_STDERR: init.logsStderr === true ? '1' : '0',
      HOME: init.scratch,
      TMPDIR: init.scratch,
      DEBUG: '*'
    })
    const host = new HostProcess(cli)
    try {
      await until(() => host.#event('ready') !== undefined || cli.child.exitCode !== null, 90_000)
      const [enclavePid] = descendants(host.pid)
      host.#enclavePid = enclavePid ?? 0
      return host
    } catch (err) {
      await host.kill()
      throw err
    }
  }

  get enclavePid(): number {
    return this.#enclavePid
  }

  get addresses(): string[] {
    return (this.#event('ready')?.['addresses'] as string[] | undefined) ?? []
  }

  /** All it wrote to the console so far. */
  get console(): Uint8Array {
    return Buffer.from(this.#cli.stdout + this.#cli.stderr)
  }

  async published(): Promise<void> {
    await until(() => this.#event('published') !== undefined, 90_000)
  }

  /** As Ctrl-C does: in order, so that everything pending is on disk. */
  async stop(): Promise<void> {
    this.#cli.child.kill('SIGTERM')
    await this.#cli.ended()
  }

  async kill(): Promise<void> {
    this.#cli.child.kill('SIGKILL')
    await this.#cli.ended()
  }

  #event(name: string): Record<string, unknown> | undefined {
    return this.#cli.events().find(({ event }) => event === name)
  }
}
