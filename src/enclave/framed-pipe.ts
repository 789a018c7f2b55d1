import type { Socket } from 'node:net'
import { encodeFrame, FrameDecoder } from '../wire/framing.ts'
import { LIMITS } from '../wire/limits.ts'

export interface PipeHandlers {
  /** One whole message. */
  onMessage(message: Uint8Array): void
  /** The other side is gone or sent what is no frame. Called once. */
  onEnd(fault?: unknown): void
}

/** Messages over a socket, as frames. */
export class FramedPipe {
  readonly #socket: Socket

  constructor(socket: Socket, handlers: PipeHandlers) {
    this.#socket = socket
    const decoder = new FrameDecoder(LIMITS.enclaveFrameBytes)
    let ended = false
    const end = (fault?: unknown): void => {
      if (!ended) {
        ended = true
        handlers.onEnd(fault)
      }
    }
    socket.on('data', bytes => {
      try {
        for (const message of decoder.push(bytes)) {
          handlers.onMessage(message)
        }
      } catch (err) {
        end(err)
        socket.destroy()
      }
    })
    socket.on('error', end)
    socket.on('end', () => end())
    socket.on('close', () => end())
  }

  send(message: Uint8Array): void {
    if (this.#socket.writable) {
      this.#socket.write(encodeFrame(message))
    }
  }

  close(): void {
    this.#socket.end()
  }
}
