import type { Output } from './output.ts'

/** Says `message` if `done` was not called within `afterMs`: what takes long explains itself. */
export function lateNote(output: Output, message: string, afterMs = 1_000): { done: () => void } {
  const timer = setTimeout(() => output.note(message), afterMs)
  return { done: () => clearTimeout(timer) }
}
