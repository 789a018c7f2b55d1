import { mutate } from './mutate.ts'
import type { FuzzRandom } from './random.ts'

const LINES = [
  '',
  ' ',
  '-----BEGIN CERTIFICATE-----',
  '-----END CERTIFICATE-----',
  '-----BEGIN CERTIFICATE----- ',
  '-----BEGIN X509 CRL-----',
  'AAAA',
  '====',
  '\0',
  '\r'
]
const XML = [
  '<!-- -->',
  '<![CDATA[x]]>',
  '<?x y?>',
  '<!DOCTYPE a [<!ENTITY b "c">]>',
  '&amp;',
  '&b;',
  '&#65;',
  '<a/>',
  '</a>',
  '<a>',
  '<a b="1" b="1"/>',
  '<a xmlns:q="r" xmlns:q="r"/>',
  '<q:a/>',
  '<a xml:lang="x"/>',
  "<a b='1'/>",
  '<a xmlns=""/>',
  'text',
  '\t',
  '\r\n',
  '\u00e9',
  '<',
  '>',
  '"'
]

/** Text made of lines, with some of them damaged. */
export function mutateLines(random: FuzzRandom, corpus: readonly string[]): Uint8Array {
  const text = random.pick(corpus)
  return mutateParts(
    random,
    corpus,
    text.split(/(?<=\n)/),
    () => `${random.pick(LINES)}${random.pick(['', '\n', '\r\n'])}`
  )
}

/** XML with some of its tags or texts damaged. */
export function mutateXml(random: FuzzRandom, corpus: readonly string[]): Uint8Array {
  const text = random.pick(corpus)
  const parts = text.match(/<[^>]*>|[^<]+/g) ?? [text]
  switch (random.below(12)) {
    case 0: {
      const levels = 1 + random.below(random.pick([10, 3_000]))
      const at = random.below(parts.length)
      const inside = `${'<a>'.repeat(levels)}${'</a>'.repeat(random.below(2) * levels)}`
      return Buffer.from([...parts.slice(0, at), inside, ...parts.slice(at)].join(''))
    }
    case 1: {
      const at = random.below(parts.length)
      const many = Array.from({ length: random.below(400) }, (_, i) => ` a${i}="${i}"`).join('')
      return Buffer.from(
        [...parts.slice(0, at), (parts[at] ?? '').replace(/\/?>$/, end => many + end), ...parts.slice(at + 1)].join('')
      )
    }
    default:
      return mutateParts(random, corpus, parts, () => random.pick(XML))
  }
}

function mutateParts(random: FuzzRandom, corpus: readonly string[], parts: string[], odd: () => string): Uint8Array {
  if (random.below(6) === 0) {
    return mutate(
      random,
      corpus.map(text => Buffer.from(text, 'latin1'))
    ).bytes
  }
  const changed = [...parts]
  for (let count = 1 + Math.floor(random.below(5) / 3); count > 0; count--) {
    const at = random.below(changed.length + 1)
    const part = changed[at] ?? ''
    switch (random.below(7)) {
      case 0:
        changed.splice(at, 1)
        break
      case 1:
        changed.splice(at, 0, part)
        break
      case 2:
        changed.splice(at, 0, odd())
        break
      case 3: {
        const other = random.below(changed.length)
        changed[at] = changed[other] ?? ''
        changed[other] = part
        break
      }
      case 4:
        changed[at] = part.replace(/\r?\n$/, random.pick(['', '\r\n', '\n\n', ' \n', '\r']))
        break
      default:
        changed[at] = Buffer.from(mutate(random, [Buffer.from(part, 'latin1')]).bytes).toString('latin1')
    }
  }
  return Uint8Array.from(Buffer.from(changed.join(''), 'latin1'))
}
