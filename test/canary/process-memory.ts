import { closeSync, openSync, readFileSync, readSync } from 'node:fs'

/** A readable range of a process's address space. */
interface Region {
  start: number
  end: number
  /** `[heap]`, a file's path, or empty for anonymous memory. */
  name: string
}

export interface MemoryScan {
  readBytes: number
  /** Bytes that are mapped as readable but that the kernel does not give out. */
  unreadableBytes: number
  regions: number
}

const CHUNK_BYTES = 8 * 1024 * 1024
/** No needle that spans two chunks may be lost: longer than the shortest piece that is reported. */
const OVERLAP_BYTES = 256
const PAGE_BYTES = 4_096

/**
 * Gives all readable memory of a process to `onChunk`, piece by piece: heap, stacks, anonymous memory, mapped files.
 * The pieces are only good during the call. Linux only.
 *
 * @throws {Error} if this user may not read that process's memory
 */
export function readMemory(pid: number, onChunk: (chunk: Uint8Array, region: string) => void): MemoryScan {
  const scan = { readBytes: 0, unreadableBytes: 0, regions: 0 }
  const buffer = new Uint8Array(CHUNK_BYTES)
  const file = openSync(`/proc/${pid}/mem`, 'r')
  try {
    for (const { start, end, name } of readableRegions(pid)) {
      scan.regions++
      let kept = 0
      for (let at = start; at < end; ) {
        const wanted = Math.min(end - at, CHUNK_BYTES - kept)
        const got = readSome(file, buffer, kept, wanted, at)
        if (got === 0) {
          scan.unreadableBytes += PAGE_BYTES
          at += PAGE_BYTES
          kept = 0
          continue
        }
        scan.readBytes += got
        at += got
        onChunk(buffer.subarray(0, kept + got), name)
        const tail = Math.min(OVERLAP_BYTES, kept + got)
        buffer.copyWithin(0, kept + got - tail, kept + got)
        kept = tail
      }
    }
  } finally {
    closeSync(file)
  }
  if (scan.readBytes === 0) {
    throw new Error(`Nothing of the memory of process ${pid} could be read: tracing it is not permitted here`)
  }
  return scan
}

/** Stops a process where it is, so that its memory holds still, and waits until all its threads have. */
export function freeze(pid: number): void {
  process.kill(pid, 'SIGSTOP')
  const deadlineMs = performance.now() + 5_000
  while (!/^State:\s+[Tt]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))) {
    if (performance.now() > deadlineMs) {
      throw new Error(`Process ${pid} did not stop within 5 s`)
    }
  }
}

export function thaw(pid: number): void {
  process.kill(pid, 'SIGCONT')
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
function readSome(file: number, buffer: Uint8Array, offset: number, length: number, position: number): number {
  try {
    return readSync(file, buffer, offset, length, position)
  } catch {
    return 0
  }
}
