import type { AddressInfo } from 'node:net'
import { createServer, type Server, type Socket } from 'node:net'
import { encodeFrame, FrameDecoder } from '../../src/wire/framing.ts'
import { LIMITS } from '../../src/wire/limits.ts'
import { until } from '../support/until.ts'
import type { Role } from './side.ts'
import { decodeStreamFrame, type StreamFrame } from './stream-frames.ts'

/** Sees each frame in the order in which it was sent; a link that breaks ends every stream on it. */
export interface Tap {
  frame(from: Role, frame: StreamFrame): void
  cut(): void
}

/** The only way between payer and payee: whatever one says to the other is heard here. */
export class Relay {
  readonly #tap: Tap
  readonly #server: Server
  readonly #sockets = new Map<Role, Socket>()

  constructor(tap: Tap) {
    this.#tap = tap
    this.#server = createServer({ noDelay: true }, socket => this.#welcome(socket))
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  async start(): Promise<void> {
    await new Promise<void>(resolve => this.#server.listen(0, '127.0.0.1', resolve))
  }

  /** Until both sides are there. */
  async connected(): Promise<void> {
    await until(() => this.#sockets.size === 2)
  }

  async stop(): Promise<void> {
    this.cut()
    await new Promise<void>(resolve => this.#server.close(() => resolve()))
  }

  cut(): void {
    const sockets = [...this.#sockets.values()]
    this.#sockets.clear()
    if (sockets.length > 0) {
      this.#tap.cut()
    }
    sockets.forEach(socket => socket.destroy())
  }

  #welcome(socket: Socket): void {
    const decoder = new FrameDecoder(2 * LIMITS.jobFrameBytes)
    let role: Role | undefined
    socket.on('data', (bytes: Buffer) => {
      for (const frame of decoder.push(new Uint8Array(bytes))) {
        if (role === undefined) {
          role = Buffer.from(frame).toString() as Role
          this.#sockets.set(role, socket)
        } else {
          // Heard before it is handed on: nothing that follows from it can be seen first.
          this.#tap.frame(role, decodeStreamFrame(frame))
          this.#sockets.get(role === 'payer' ? 'payee' : 'payer')?.write(encodeFrame(frame))
        }
      }
    })
    socket
      .on('error', () => undefined)
      .on('close', () => {
        if (role !== undefined && this.#sockets.get(role) === socket) {
          this.cut()
        }
      })
  }
}
