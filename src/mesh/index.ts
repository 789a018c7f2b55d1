export {
  type Capacity,
  type CapacityGpu,
  type CapacityModel,
  type CapacityPayment,
  type CapacityQuery,
  capacityVramClass
} from './capacity.ts'
export { CLOCK_TOLERANCE_MS, decodeCapacity, encodeCapacity, MAX_CAPACITY_LIFETIME_MS } from './capacity-codec.ts'
export type { DiscoveryFailure, FindOptions, LookupOptions } from './discovery.ts'
export type { Verdict } from './gossip.ts'
export type { Heartbeat, HeartbeatUpdate } from './heartbeat.ts'
export { createMesh } from './libp2p-mesh.ts'
export type { Datastore } from './libp2p-node.ts'
export type {
  AnnounceOptions,
  HandleLimits,
  Mesh,
  MeshComponents,
  MeshInit,
  MeshStatus,
  OpenOptions,
  PeerView,
  StreamHandler
} from './mesh.ts'
export type { MeshStream } from './message-stream.ts'
export { type PeerIdentity, PeerKeys, peerIdentity } from './peer-identity.ts'
export type { TrafficEvent, TrafficTap } from './traffic-tap.ts'
export { VRAM_CLASSES, type VramClass, vramClass } from './vram-class.ts'
