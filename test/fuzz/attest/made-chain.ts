import assert from 'node:assert/strict'
import { parseCertificate } from '../../../src/attest/x509/certificate.ts'
import { MAX_CHAIN_CERTIFICATES, verifyChain } from '../../../src/attest/x509/chain.ts'
import { sha256, toHex } from '../../../src/core/bytes.ts'
import {
  type CertificateInit,
  MADE_FROM_MS,
  MADE_UNTIL_MS,
  type MadeCertificate,
  makeCertificate
} from '../../unit/attest/x509/make-certificate.ts'
import type { FuzzRandom } from '../random.ts'
import { SeededKey } from '../seeded-key.ts'
import type { Surface } from '../surface.ts'
import { resigned } from './seeded-platform.ts'

const KEY_CERT_SIGN = 5
const UNKNOWN = '1.3.6.1.4.1.99999.1'

interface Link {
  readonly made: MadeCertificate
  /** Whether nothing was done to it. */
  readonly sound: boolean
  /** Fewest intermediates that may follow, as far as it says. */
  readonly pathLength: number | undefined
}

/**
 * Chains that are signed for real, link by link, with at most a few faults each: they must hold if and only if there is
 * none. Reaches what damaged bytes do not, since those break a signature first.
 */
export function madeChainSurface(): Surface {
  const keys = Array.from({ length: MAX_CHAIN_CERTIFICATES + 2 }, (_, i) => new SeededKey(`fuzz chain ${i}`))
  return {
    name: 'made-chain',
    weight: 4,
    feed: random => {
      const length = random.below(20) === 0 ? MAX_CHAIN_CERTIFICATES + 1 : 1 + random.below(4)
      const links: Link[] = []
      for (let i = 0; i < length; i++) {
        links.push(link(random, keys, i, links.at(-1)?.made, i === length - 1))
      }
      const root = links[0]?.made
      const nowMs = random.pick([
        MADE_FROM_MS,
        MADE_FROM_MS - 1,
        MADE_UNTIL_MS,
        MADE_UNTIL_MS + 1,
        ...Array.from({ length: 20 }, () => MADE_FROM_MS + random.below(10 ** 9))
      ])
      const trusted = random.below(12) > 0
      const rootSha256 = [toHex(sha256(trusted ? (root?.der ?? '') : 'another'))]
      const sound =
        length <= MAX_CHAIN_CERTIFICATES &&
        trusted &&
        nowMs >= MADE_FROM_MS &&
        nowMs <= MADE_UNTIL_MS &&
        links.every(
          (one, i) =>
            one.sound && (one.pathLength === undefined || i === length - 1 || length - i - 2 <= one.pathLength)
        )
      const chain = links.map(({ made }) => parseCertificate(made.der)).reverse()
      try {
        verifyChain({ chain, rootSha256, nowMs })
      } catch (err) {
        assert.ok(!sound, `a chain without fault is refused: ${String(err)}`)
        throw err
      }
      assert.ok(sound, 'a chain with a fault holds')
      return 'held'
    }
  }
}

function link(
  random: FuzzRandom,
  keys: readonly SeededKey[],
  index: number,
  issuer: MadeCertificate | undefined,
  leaf: boolean
): Link {
  const own = keys[index] as SeededKey
  const limited = !leaf && random.below(3) === 0
  const pathLength = limited ? random.below(4) : undefined
  const good: CertificateInit = {
    subject: `Link ${index}`,
    keys: own,
    ca: !leaf,
    serial: 1 + random.below(2 ** 31),
    keyUsage: leaf ? [0] : [KEY_CERT_SIGN, 6],
    ...(issuer === undefined ? {} : { issuer }),
    ...(pathLength === undefined ? {} : { pathLength }),
    // One that nobody has to understand.
    ...(random.below(3) === 0 ? { extensions: [{ oid: UNKNOWN, value: random.bytes(random.below(20)) }] } : {})
  }
  const fault = random.below(leaf ? 30 : 24)
  const made = (change: Partial<CertificateInit>, signer?: SeededKey): Link => ({
    made: resigned(makeCertificate({ ...good, ...change }), signer ?? keys[index - 1] ?? own),
    sound: false,
    pathLength
  })
  switch (fault) {
    case 0:
      return made({ extensions: [{ oid: UNKNOWN, critical: true, value: random.bytes(3) }] })
    case 1:
      return made({ fromMs: MADE_UNTIL_MS + 10_000, untilMs: MADE_UNTIL_MS + 10 ** 6 })
    case 2:
      return made({ fromMs: MADE_FROM_MS - 10 ** 6, untilMs: MADE_FROM_MS - 10_000 })
    case 3:
      return made({ issuerName: 'Someone else' })
    case 4:
      return made({}, keys.at(-1))
    default:
  }
  if (fault === 5 && !leaf) {
    const { pathLength: _, ...plain } = good
    return {
      made: resigned(makeCertificate({ ...plain, ca: false }), keys[index - 1] ?? own),
      sound: false,
      pathLength: undefined
    }
  }
  if (fault === 6 && !leaf) {
    return made({ keyUsage: [0, 6] })
  }
  return { ...made({}), sound: true }
}
