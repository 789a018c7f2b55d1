/** Sizes in bytes and counts that a peer's message must keep to. Checked before anything else is. */
export const LIMITS = {
  jobIdBytes: 16,
  digestBytes: 32,
  hintBytes: 8,
  /** Capacity record with its signature. */
  capacityRecordBytes: 4 * 1024,
  heartbeatBytes: 512,
  /** Sealed request that may ride in an announcement. */
  announcedRequestBytes: 32 * 1024,
  /** The same where its key is wrapped with X-Wing: eight of those wraps take 9.3 KiB of the announcement. */
  announcedXWingRequestBytes: 16 * 1024,
  /** A whole announcement. */
  announcementBytes: 40 * 1024,
  recipients: 8,
  /** HPKE encapsulated key: X25519, X-Wing. */
  encBytes: [32, 1_120],
  xwingKeyBytes: 1_216,
  wrappedKeyBytes: 48,
  offerBytes: 512,
  /** One message on a job stream. */
  jobFrameBytes: 64 * 1024,
  /** Body part on a job stream. */
  bodyPartBytes: 48 * 1024,
  /** A whole sealed request. */
  sealedRequestBytes: 4 * 1024 * 1024,
  sealedChunkBytes: 16 * 1024,
  attestReplyBytes: 256 * 1024,
  statementBytes: 4 * 1024,
  evidenceBytes: 192 * 1024,
  channelFrameBytes: 2 * 1024,
  receiptBytes: 8 * 1024,
  /** Largest frame of the pipe between host and enclave. */
  enclaveFrameBytes: 8 * 1024 * 1024,
  /** Characters of the words that go with a refusal. */
  refusalText: 300,
  addresses: 16,
  models: 16,
  gpus: 16
} as const
