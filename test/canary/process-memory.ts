import { closeSync, openSync, readFileSync, readSync } from 'node:fs'

/** A readable range of a process's address space. */
interface Region {
  start: number
  end: number
  /** `[heap]`, a file's path, or empty for anonymous memory. */
  name: string
}

/** Memory as it was at one moment. */
export interface Snapshot {
  pieces: Array<{ bytes: Uint8Array; region: string }>
  readBytes: number
  /** Bytes that are mapped as readable but that the kernel does not give out. */
  unreadableBytes: number
}

const PIECE_BYTES = 8 * 1024 * 1024
/** Pieces of one region overlap by more than the shortest part of a secret that is searched for. */
const OVERLAP_BYTES = 256
const PAGE_BYTES = 4_096

/**
 * All readable memory of some processes at the same moment, held still meanwhile: heap, stacks, anonymous memory, mapped
 * files. Linux only.
 *
 * @throws {Error} if this user may not read their memory
 */
export function snapshots(pids: readonly number[]): Snapshot[] {
  const frozen: number[] = []
  try {
    for (const pid of pids) {
      frozen.push(pid)
      freeze(pid)
    }
    return pids.map(copyMemory)
  } finally {
    frozen.forEach(pid => process.kill(pid, 'SIGCONT'))
  }
}

function copyMemory(pid: number): Snapshot {
  const copy: Snapshot = { pieces: [], readBytes: 0, unreadableBytes: 0 }
  const file = openMemory(pid)
  try {
    for (const { start, end, name } of readableRegions(pid)) {
      for (let at = start; at < end; ) {
        const from = Math.max(start, at - OVERLAP_BYTES)
        const buffer = Buffer.allocUnsafeSlow(Math.min(end, at + PIECE_BYTES) - from)
        const got = readSome(file, buffer, from)
        if (from + got <= at) {
          copy.unreadableBytes += PAGE_BYTES
          at += PAGE_BYTES
          continue
        }
        copy.readBytes += from + got - at
        copy.pieces.push({ bytes: buffer.subarray(0, got), region: name === '' ? 'anonymous' : name })
        at = from + got
      }
    }
  } finally {
    closeSync(file)
  }
  if (copy.readBytes === 0) {
    throw new Error(notPermitted(pid))
  }
  return copy
}

const notPermitted = (pid: number): string =>
  `MEMORY OF PROCESS ${pid} CANNOT BE READ: tracing is not permitted here, so nothing can be said. Allow it (kernel.yama.ptrace_scope, seccomp, CAP_SYS_PTRACE) and run again`

function openMemory(pid: number): number {
  try {
    return openSync(`/proc/${pid}/mem`, 'r')
  } catch (cause) {
    throw new Error(notPermitted(pid), { cause })
  }
}

/** Stops a process where it is, so that its memory holds still, and waits until all its threads have. */
function freeze(pid: number): void {
  process.kill(pid, 'SIGSTOP')
  const deadlineMs = performance.now() + 5_000
  while (!/^State:\s+[Tt]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))) {
    if (performance.now() > deadlineMs) {
      throw new Error(`Process ${pid} did not stop within 5 s`)
    }
  }
}

/** Children of a process, and theirs. Linux only. */
export function descendants(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
  return children.flatMap(child => [child, ...descendants(child)])
}

function readableRegions(pid: number): Region[] {
  return readFileSync(`/proc/${pid}/maps`, 'utf8')
    .split('\n')
    .flatMap(line => {
      const match = /^([0-9a-f]+)-([0-9a-f]+) r\S+ \S+ \S+ \S+\s*(.*)$/.exec(line)
      // The kernel's own page of system calls lies beyond what a file offset can name, and is the same in all.
      return match === null || match[3] === '[vsyscall]'
        ? []
        : [
            {
              start: Number.parseInt(match[1] ?? '', 16),
              end: Number.parseInt(match[2] ?? '', 16),
              name: match[3] ?? ''
            }
          ]
    })
}

/** Bytes read, 0 where the kernel gives none. */
function readSome(file: number, buffer: Uint8Array, position: number): number {
  try {
    return readSync(file, buffer, 0, buffer.byteLength, position)
  } catch {
    return 0
  }
}
