import { mutate } from './mutate.ts'
import type { FuzzRandom } from './random.ts'

/** An element of DER, with the elements in it: also those inside of octet strings and bit strings. */
export interface DerNode {
  readonly tag: number
  readonly raw: Uint8Array
  readonly content: Uint8Array
  readonly parent: DerNode | undefined
  /** What stands before the first child: the count of unused bits of a bit string. */
  readonly prefix: Uint8Array
  readonly children: DerNode[]
}

/** A document of DER, taken apart once to be damaged often. */
export interface DerDocument {
  readonly bytes: Uint8Array
  readonly nodes: readonly DerNode[]
}

const TAGS = [
  0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0a, 0x0c, 0x13, 0x16, 0x17, 0x18, 0x30, 0x31, 0x80, 0xa0, 0xa1, 0xa3, 0x1f, 0x3f
]
const INTEGERS = [
  '',
  '80',
  'ff',
  '00ff',
  '0000',
  '0001',
  'ffff',
  '7fffffff',
  '0080000000',
  '00'.repeat(21),
  'ff'.repeat(40)
]
const TIMES = [
  '991231235959Z',
  '000101000000Z',
  '491231235959Z',
  '500101000000Z',
  '20501231235959Z',
  '99991231235959Z',
  '260230000000Z',
  '2601010000Z',
  '260101000000+0100',
  '00000000000000Z'
]

export function readDerDocument(bytes: Uint8Array): DerDocument {
  const nodes: DerNode[] = []
  readNodes(bytes, undefined, nodes)
  return { bytes, nodes }
}

/** The document with one to three elements damaged; lengths around them mostly follow, so that a reader gets there. */
export function mutateDer(random: FuzzRandom, corpus: readonly DerDocument[]): Uint8Array {
  const document = random.pick(corpus)
  const kind = random.below(8)
  if (kind === 0 || document.nodes.length === 0) {
    const all = corpus.map(({ bytes }) => bytes)
    return mutate(random, random.below(2) === 0 ? [document.bytes] : all).bytes
  }
  const edits = new Map<DerNode, Uint8Array>()
  for (let count = 1 + Math.floor(random.below(5) / 3); count > 0; count--) {
    const node = random.pick(document.nodes)
    edits.set(node, damaged(random, node, corpus))
  }
  const touched = new Set<DerNode>()
  for (const edited of edits.keys()) {
    for (let node = edited.parent; node !== undefined; node = node.parent) {
      touched.add(node)
    }
  }
  const roots = document.nodes.filter(({ parent }) => parent === undefined)
  return Uint8Array.from(Buffer.concat(roots.map(root => write(root, edits, touched, kind === 1))))
}

/** An element of this tag in DER. */
export function element(tag: number, content: Uint8Array): Uint8Array {
  const size = content.length
  const head =
    size < 0x80
      ? [tag, size]
      : size < 0x100
        ? [tag, 0x81, size]
        : size < 0x1_0000
          ? [tag, 0x82, size >> 8, size & 0xff]
          : [tag, 0x83, size >> 16, (size >> 8) & 0xff, size & 0xff]
  return Buffer.concat([Uint8Array.from(head), content])
}

function damaged(random: FuzzRandom, node: DerNode, corpus: readonly DerDocument[]): Uint8Array {
  const { tag, raw, content, parent } = node
  switch (random.below(14)) {
    case 0:
      return new Uint8Array()
    case 1:
      return Buffer.concat([raw, raw])
    case 2:
      return element(random.below(4) === 0 ? random.below(256) : random.pick(TAGS), content)
    case 3:
    case 4:
      return element(tag, mutate(random, [content]).bytes)
    case 5:
      return lying(random, node)
    case 6: {
      const others = random.pick(corpus).nodes
      return others.length === 0 ? raw : random.pick(others).raw
    }
    case 7:
      return random.pick(parent?.children ?? [node]).raw
    case 8:
      return nested(raw, 1 + random.below(random.pick([2, 40, 1_500])))
    case 9:
      return element(tag, new Uint8Array())
    case 10:
      return element(tag, Buffer.from(random.pick(INTEGERS), 'hex'))
    case 11:
      return element(random.pick([0x17, 0x18]), Buffer.from(random.pick(TIMES)))
    case 12:
      return element(tag, Buffer.concat([content, random.bytes(1 + random.below(4))]))
    default:
      return Buffer.concat(Array.from({ length: 2 + random.below(40) }, () => raw))
  }
}

/** The content under a length that is not its own, or not in its one form. */
function lying(random: FuzzRandom, { tag, content }: DerNode): Uint8Array {
  const size = content.length
  const heads = [
    [0x80],
    [0x81, size & 0xff],
    [0x82, size >> 8, size & 0xff],
    [0x83, 0, size >> 8, size & 0xff],
    [0x84, 0, 0, size >> 8, size & 0xff],
    [0x84, 0xff, 0xff, 0xff, 0xff],
    [0x83, 0xff, 0xff, 0xff],
    [0xff],
    [(size + 1) & 0x7f],
    [(size - 1) & 0x7f]
  ]
  return Buffer.concat([Uint8Array.from([tag, ...random.pick(heads)]), content])
}

function nested(raw: Uint8Array, levels: number): Uint8Array {
  let all = raw
  for (let i = 0; i < levels; i++) {
    all = element(0x30, all)
  }
  return all
}

function write(
  node: DerNode,
  edits: ReadonlyMap<DerNode, Uint8Array>,
  touched: ReadonlySet<DerNode>,
  stale: boolean
): Uint8Array {
  const edit = edits.get(node)
  if (edit !== undefined || !touched.has(node)) {
    return edit ?? node.raw
  }
  const content = Buffer.concat([node.prefix, ...node.children.map(child => write(child, edits, touched, stale))])
  // Lengths that do not follow: what is inside does not fit any more.
  return stale
    ? Buffer.concat([node.raw.subarray(0, node.raw.length - node.content.length), content])
    : element(node.tag, content)
}

/** Whether all of `bytes` is elements; `into` gets them, and those in them. */
function readNodes(bytes: Uint8Array, parent: DerNode | undefined, into: DerNode[]): DerNode[] | undefined {
  const found: DerNode[] = []
  const all: DerNode[] = []
  for (let at = 0; at < bytes.length; ) {
    const head = readHead(bytes, at)
    if (head === undefined) {
      return undefined
    }
    const content = bytes.subarray(head.from, head.to)
    const tag = bytes[at] ?? 0
    const prefix = content.subarray(0, tag === 0x03 ? 1 : 0)
    const node: DerNode = { tag, raw: bytes.subarray(at, head.to), content, parent, prefix, children: [] }
    all.push(node)
    const inner = content.subarray(prefix.length)
    const wraps = (tag & 0x20) !== 0 || ((tag === 0x03 || tag === 0x04) && (inner[0] === 0x30 || inner[0] === 0x02))
    node.children.push(...((wraps ? readNodes(inner, node, all) : undefined) ?? []))
    found.push(node)
    at = head.to
  }
  into.push(...all)
  return found
}

function readHead(bytes: Uint8Array, at: number): { from: number; to: number } | undefined {
  const first = bytes[at + 1]
  if (first === undefined || ((bytes[at] ?? 0) & 0x1f) === 0x1f) {
    return undefined
  }
  const count = first < 0x80 ? 0 : first & 0x7f
  if (count > 3 || first === 0x80) {
    return undefined
  }
  const from = at + 2 + count
  const size = count === 0 ? first : bytes.subarray(at + 2, from).reduce((value, byte) => value * 256 + byte, 0)
  return from + size > bytes.length ? undefined : { from, to: from + size }
}
