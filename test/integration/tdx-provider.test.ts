import assert from 'node:assert/strict'
import { DEFAULT_POLICY, type VerifyAttestationInput, verifyAttestation } from '../../src/attest/index.ts'
import { systemClock } from '../../src/core/clock.ts'
import { errorCode } from '../../src/core/errors.ts'
import { silentLogger } from '../../src/core/logger.ts'
import { openEvidenceSource } from '../../src/enclave/evidence/source.ts'
import type { AttestedStatement, AttestInput } from '../../src/enclave/index.ts'
import { EnclaveProgram } from '../../src/enclave/program.ts'
import type { GenerateEvent } from '../../src/inference/index.ts'
import { peerIdentity } from '../../src/mesh/index.ts'
import { EnclaveIdentity } from '../../src/provider/enclave-identity.ts'
import { EvidenceCompleter } from '../../src/provider/index.ts'
import { EnclaveReply, EnclaveRequest } from '../../src/wire/generated/enclave.ts'
import { scriptedEngine } from '../support/scripted-engine.ts'
import { measuredImage, TEST_FMSPC, testTdxPlatform } from '../support/tdx-platform.ts'
import { fakeTsmEntries } from '../support/tdx-platform-configfs.ts'
import { pcsAnswers, useTestService } from '../support/tdx-platform-services.ts'
import { useTempFolder } from '../support/temp-folder.ts'

const BUNDLE_DIGEST = new Uint8Array(32).fill(2)
const engine = scriptedEngine(async function* (): AsyncGenerator<GenerateEvent> {
  yield { type: 'prompt', promptTokens: 1, cachedPromptTokens: 0 }
  yield { type: 'text', text: 'x', completionTokens: 1 }
  yield { type: 'end', finishReason: 'stop', promptTokens: 1, completionTokens: 1 }
})

/** The enclave program in this process, asked as its host asks it. */
class AskedProgram {
  readonly #waiting = new Map<number, (reply: EnclaveReply) => void>()
  readonly #program: EnclaveProgram
  #lastId = 0

  constructor(tsmRoot: string, makeEntry: (path: string) => Promise<unknown>) {
    this.#program = new EnclaveProgram(
      {
        clock: systemClock,
        openEngine: async () => engine,
        openEvidence: init => openEvidenceSource({ ...init, tsmRoot, makeEntry, eventLogPath: false }),
        send: bytes => {
          const reply = EnclaveReply.decode(bytes)
          this.#waiting.get(reply.id)?.(reply)
        }
      },
      { software: { version: '0.1.0', bundleDigest: BUNDLE_DIGEST } }
    )
  }

  ask(body: Omit<EnclaveRequest, 'id'>): Promise<EnclaveReply> {
    const id = ++this.#lastId
    return new Promise(resolve => {
      this.#waiting.set(id, resolve)
      this.#program.handle(EnclaveRequest.encode({ id, ...body }))
    })
  }

  async attest(input: AttestInput): Promise<AttestedStatement> {
    const { attested, failed } = await this.ask({ attest: { challenge: new Uint8Array(), ...input } })
    assert.ok(attested, failed?.code)
    return attested
  }
}

describe('a provider in a TDX guest', function () {
  this.timeout(20_000)
  const folder = useTempFolder()
  const service = useTestService()

  it('shows what a client accepts by its policy, and by nothing else', async () => {
    const platform = testTdxPlatform(systemClock.nowMs())
    service().answers = pcsAnswers(platform.collateral, { fmspc: TEST_FMSPC })
    const kernel = fakeTsmEntries({ provider: 'tdx_guest', answer: reportData => platform.quote({ reportData }) })
    const enclave = new AskedProgram(folder(), kernel.makeEntry)
    const load = {
      path: '/m.gguf',
      threads: 0,
      slots: 0,
      gpu: 'auto',
      contextTokens: 0,
      evidence: 'auto',
      gpuCommand: ''
    }
    assert.equal((await enclave.ask({ load })).failed, undefined)
    const peer = await peerIdentity(new Uint8Array(32).fill(3))
    const identity = new EnclaveIdentity({
      logger: silentLogger,
      clock: systemClock,
      enclave,
      mesh: { peerIdBytes: peer.idBytes, sign: message => peer.sign(message) },
      evidence: new EvidenceCompleter(
        { logger: silentLogger, clock: systemClock },
        { folder: folder(), intel: { baseUrl: service().url, rootSha256: platform.rootSha256 } }
      ),
      chain: { globalId: -3, tip: async () => ({ height: 7, hash: new Uint8Array(32).fill(4) }) }
    })
    await identity.refresh()
    const challenge = new Uint8Array(32).fill(9)
    const shown = await identity.challenged(challenge)
    const image = { ...measuredImage(), name: 'test', bundleDigest: Buffer.from(BUNDLE_DIGEST).toString('hex') }
    const input: VerifyAttestationInput = {
      ...shown,
      challenge,
      expectedPeerId: peer.id,
      verifyPeerSignature: () => true,
      policy: { ...DEFAULT_POLICY, images: [image] },
      nowMs: systemClock.nowMs(),
      tdx: platform.verifier()
    }
    const accepted = await verifyAttestation(input)
    assert.equal(accepted.tier, 'tdx')
    assert.equal(accepted.image?.name, 'test')
    assert.ok(accepted.platform.tier === 'tdx' && accepted.platform.td.tcbStatus === 'UpToDate')

    const refusalOf = (changes: Partial<VerifyAttestationInput>): Promise<string | undefined> =>
      verifyAttestation({ ...input, ...changes }).then(
        () => 'accepted',
        err => errorCode(err)
      )
    const { tdx: _, ...byIntel } = input
    assert.equal(await refusalOf({ policy: DEFAULT_POLICY }), 'ATTESTATION_MEASUREMENT_REFUSED')
    assert.equal(await refusalOf({ challenge: new Uint8Array(32) }), 'ATTESTATION_REPORT_DATA_MISMATCH')
    assert.equal(
      await refusalOf({ policy: { ...DEFAULT_POLICY, images: [{ ...image, bundleDigest: '00'.repeat(32) }] } }),
      'ATTESTATION_MEASUREMENT_MISMATCH'
    )
    await assert.rejects(verifyAttestation(byIntel), { code: 'ATTESTATION_CERTIFICATE_ROOT_UNKNOWN' })
    // The standing evidence binds the beacon, and what Intel says was fetched once.
    const { challenge: __, ...unchallenged } = input
    await verifyAttestation({ ...unchallenged, ...identity.current })
    assert.equal(service().requests.length, 4)
    await kernel.settled()
  })
})
