import assert from 'node:assert/strict'
import type { Capacity, Mesh, MeshStream, OpenOptions, StreamHandler } from '../../../src/mesh/index.ts'
import { type MemoryStream, streamPair } from '../../support/stream-pair.ts'
import { verifyPeerSignature } from '../attest/fixtures.ts'

type PeerSide = (stream: MemoryStream, protocol: string) => Promise<void>

/** As much of a mesh as a client's parts use, over streams in memory. */
export class FakeMesh {
  readonly peerId = 'client-peer'
  readonly handlers = new Map<string, StreamHandler>()
  readonly opened: Array<{ peerId: string; protocol: string; maxFrameBytes: number; stream: MemoryStream }> = []
  /** Who answers at the other end of streams that the client opens. */
  remote: PeerSide = async () => undefined
  records: Capacity[] = []
  recordsRead = 0
  /** Failures of the other end, to be looked at. */
  readonly failures: unknown[] = []

  async open(peerId: string, protocol: string, options: OpenOptions): Promise<MeshStream> {
    const [near, far] = streamPair()
    this.opened.push({ peerId, protocol, maxFrameBytes: options.maxFrameBytes, stream: near })
    void this.remote(far, protocol).catch(err => this.failures.push(err))
    return near
  }

  async connect(): Promise<void> {}

  async handle(protocol: string, handler: StreamHandler): Promise<void> {
    this.handlers.set(protocol, handler)
  }

  async *findProviders(): AsyncGenerator<Capacity> {
    for (const record of this.records) {
      this.recordsRead++
      yield record
    }
  }

  verifyPeerSignature(peerId: string, message: Uint8Array, signature: Uint8Array): boolean {
    return verifyPeerSignature(peerId, message, signature)
  }

  /** A stream that a peer opens to the client. Returns the peer's end and the handler's outcome. */
  incoming(peerId: string, protocol: string): { stream: MemoryStream; near: MemoryStream; handled: Promise<void> } {
    const handler = this.handlers.get(protocol)
    assert.ok(handler)
    const [near, far] = streamPair()
    return { stream: far, near, handled: handler(near, { id: peerId }) }
  }

  asMesh(): Mesh {
    return this as unknown as Mesh
  }
}
