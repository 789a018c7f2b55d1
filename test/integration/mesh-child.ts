import type { Mesh } from '../../src/mesh/index.ts'
import { MeshLab } from './mesh-support.ts'

/** A node in a process of its own, to be killed: answers one frame and then holds the stream. */
const mesh: Mesh = await new MeshLab().node('child')
await mesh.handle(
  '/test/hold',
  async stream => {
    await stream.write((await stream.read()) ?? new Uint8Array())
    await stream.read()
  },
  { maxFrameBytes: 1000 }
)
process.send?.({ peerId: mesh.peerId, addresses: mesh.addresses() })
