import { type GossipsubOpts, StrictSign } from '@chainsafe/libp2p-gossipsub'
import type { TopicScoreParams } from '@chainsafe/libp2p-gossipsub/score'
import { LIMITS } from '../wire/limits.ts'

/** Points of one refused message; see `PeerStanding`. */
export const REFUSED_MESSAGE_POINTS = 25

/** Points of one message over the rate limit. */
export const FLOOD_POINTS = 1

/** GossipSub for a mesh of a few to a few thousand peers, whose topics can be silent for hours. */
export function gossipOptions(standing: (peerId: string) => number, local: boolean): Partial<GossipsubOpts> {
  return {
    globalSignaturePolicy: StrictSign,
    // A client publishes rarely and to few peers: all of them get the job at once instead of after a gossip round.
    floodPublish: true,
    fallbackToFloodsub: false,
    emitSelf: false,
    allowPublishToZeroTopicPeers: true,
    // One RPC may carry several announcements as the answer to an IWANT.
    maxInboundDataLength: 32 * LIMITS.announcementBytes,
    maxOutboundBufferSize: 128 * LIMITS.announcementBytes,
    decodeRpcLimits: {
      maxSubscriptions: 1024,
      maxMessages: 64,
      maxIhaveMessageIDs: 1024,
      maxIwantMessageIDs: 1024,
      maxIdontwantMessageIDs: 512,
      maxControlMessages: 256,
      maxPeerInfos: 16
    },
    // Announcements are small enough for relayed connections; providers behind NAT must hear them.
    runOnLimitedConnection: true,
    scoreParams: {
      appSpecificScore: standing,
      appSpecificWeight: 1,
      // A simnet's peers all share one address.
      ...(local ? { IPColocationFactorWeight: 0 } : {})
    },
    scoreThresholds: { gossipThreshold: -20, publishThreshold: -50, graylistThreshold: -80 }
  }
}

/**
 * Score of one topic. Silence is normal, so missing deliveries cost nothing (P3 off); messages that fail GossipSub's
 * own checks, forged signatures above all, do (P4).
 */
export const TOPIC_SCORE: TopicScoreParams = {
  topicWeight: 0.5,
  timeInMeshWeight: 0.01,
  timeInMeshQuantum: 1000,
  timeInMeshCap: 300,
  firstMessageDeliveriesWeight: 0.5,
  firstMessageDeliveriesDecay: 0.97,
  firstMessageDeliveriesCap: 20,
  meshMessageDeliveriesWeight: 0,
  meshMessageDeliveriesDecay: 0.5,
  meshMessageDeliveriesCap: 1,
  meshMessageDeliveriesThreshold: 1,
  meshMessageDeliveriesWindow: 10,
  meshMessageDeliveriesActivation: 5000,
  meshFailurePenaltyWeight: 0,
  meshFailurePenaltyDecay: 0.5,
  invalidMessageDeliveriesWeight: -10,
  invalidMessageDeliveriesDecay: 0.99
}
