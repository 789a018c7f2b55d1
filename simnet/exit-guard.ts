import { rmSync } from 'node:fs'
import type { Launched } from './process/launch.ts'

/**
 * Ends what was launched if this process ends without doing so in order: a second Ctrl-C, or a bug. (SIGKILL cannot be
 * caught; the journal tells the next simnet what it left.)
 */
export class ExitGuard {
  readonly #launched: Launched[] = []
  readonly #folders: string[] = []
  readonly #listener = (): void => this.#clean()

  constructor() {
    process.on('exit', this.#listener)
  }

  watch(launched: Launched): void {
    this.#launched.push(launched)
  }

  /** Removed as a whole: only for a folder this process made. */
  watchFolder(folder: string): void {
    this.#folders.push(folder)
  }

  /** Everything is in order: nothing happens at the exit any more. */
  dispose(): void {
    process.removeListener('exit', this.#listener)
  }

  #clean(): void {
    for (const { identity, ending } of this.#launched) {
      // A child of ours that has not been seen ending still has its id.
      if (ending() === undefined) {
        try {
          process.kill(identity.pid, 'SIGKILL')
        } catch {
          // It ended just now.
        }
      }
    }
    for (const folder of this.#folders) {
      rmSync(folder, { recursive: true, force: true })
    }
  }
}
