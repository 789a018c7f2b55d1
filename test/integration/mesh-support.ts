import { createHash } from 'node:crypto'
import { type Clock, systemClock } from '../../src/core/clock.ts'
import { silentLogger } from '../../src/core/logger.ts'
import { systemRandom } from '../../src/core/random.ts'
import { type Capacity, createMesh, type Mesh, type MeshComponents, type MeshInit } from '../../src/mesh/index.ts'
import { sampleCapacity } from '../unit/mesh/samples.ts'

export const MODEL_DIGEST = new Uint8Array(32).fill(7)
export const MODEL_HEX = Buffer.from(MODEL_DIGEST).toString('hex')

/** Nodes on loopback, all stopped together. */
export class MeshLab {
  readonly nodes: Mesh[] = []

  /** A started node that knows the lab's first one. Nodes of one name have one key. */
  async node(name: string, init: Partial<MeshInit> = {}, components: Partial<MeshComponents> = {}): Promise<Mesh> {
    const mesh = await createMesh(
      {
        privateKeySeed: new Uint8Array(createHash('sha256').update(name).digest()),
        listen: ['/ip4/127.0.0.1/tcp/0'],
        bootstrap: this.nodes[0]?.addresses().slice(0, 1) ?? [],
        mdns: false,
        allowPrivateAddresses: true,
        role: 'client',
        ...init
      },
      { logger: silentLogger, clock: systemClock, random: systemRandom, ...components }
    )
    await mesh.start()
    this.nodes.push(mesh)
    return mesh
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.splice(0).map(mesh => mesh.stop()))
  }
}

/** A valid record of `mesh` as of now. */
export function capacityOf(mesh: Mesh, changes: Partial<Capacity> = {}, clock: Clock = systemClock): Capacity {
  return sampleCapacity(mesh.peerId, {
    addresses: mesh.addresses(),
    sequence: BigInt(clock.nowMs()),
    expiresAtMs: clock.nowMs() + 3_600_000,
    ...changes
  })
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) {
    all.push(item)
  }
  return all
}
