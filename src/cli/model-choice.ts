import { DEFAULT_MODEL } from '../core/default-model.ts'
import { NetworkError, UsageError } from '../core/errors.ts'
import { safeLine } from './terminal-text.ts'

/** A model that some provider advertises. */
export interface AdvertisedModel {
  name: string
  /** SHA-256 of the GGUF file, 32 bytes. */
  digest: Uint8Array
}

export interface ChosenModel {
  name: string
  digestHex: string
}

const DIGEST = /^[0-9a-f]{64}$/i
const DIGEST_PREFIX = /^[0-9a-f]{8,63}$/i

/**
 * The model that needs no look at the mesh: the shipped one's name, or a whole digest. A shipped name
 * stands for the shipped weights, whatever strangers call theirs.
 */
export function knownModel(text: string): ChosenModel | undefined {
  if (text.toLowerCase() === DEFAULT_MODEL.name) {
    return DEFAULT_MODEL
  }
  return DIGEST.test(text) ? { name: text.toLowerCase(), digestHex: text.toLowerCase() } : undefined
}

/**
 * The advertised model of that name (whatever its case), or whose digest begins with `text`.
 *
 * @throws {NetworkError} `MODEL_NOT_FOUND`
 * @throws {UsageError} `MODEL_AMBIGUOUS` naming the digests
 */
export function matchModel(text: string, advertised: Iterable<AdvertisedModel>): ChosenModel {
  const matches = new Map<string, string>()
  for (const { name, digest } of advertised) {
    const digestHex = Buffer.from(digest).toString('hex')
    const byDigest = DIGEST_PREFIX.test(text) && digestHex.startsWith(text.toLowerCase())
    if (byDigest || name.toLowerCase() === text.toLowerCase()) {
      matches.set(digestHex, safeLine(name, 60))
    }
  }
  const [first, ...others] = matches
  if (first === undefined) {
    throw new NetworkError(
      'MODEL_NOT_FOUND',
      `No provider advertises a model "${safeLine(text, 60)}": list what there is with "cocoon-node providers"`
    )
  }
  if (others.length > 0) {
    const digests = [...matches.keys()].slice(0, 8).map(digest => digest.slice(0, 16))
    throw new UsageError(
      'MODEL_AMBIGUOUS',
      `"${safeLine(text, 60)}" is the name of ${matches.size} models: give the digest, ${digests.join(' or ')}`
    )
  }
  return { digestHex: first[0], name: first[1] }
}
