export interface Vector {
  label: number
  features: readonly number[]
}

const TREES = 60
const MIN_LEAF = 2
const CUTS_TRIED = 4

type Node = { votes: ReadonlyMap<number, number> } | { feature: number; cut: number; below: Node; above: Node }

/** A forest of randomised trees (Geurts et al. 2006): of random cuts through random features, the one that tells most. */
export function growForest(vectors: readonly Vector[], random: () => number): (features: readonly number[]) => number {
  const trees = Array.from({ length: TREES }, () => grow(vectors, random))
  return features => {
    const votes = new Map<number, number>()
    for (const tree of trees) {
      for (const [label, share] of leafOf(tree, features)) {
        // So small a part of a vote only breaks ties, which must not favour a class.
        votes.set(label, (votes.get(label) ?? 0) + share + random() * 1e-9)
      }
    }
    return [...votes].reduce((best, vote) => (vote[1] > best[1] ? vote : best), [-1, 0])[0]
  }
}

function grow(vectors: readonly Vector[], random: () => number): Node {
  const labels = new Set(vectors.map(({ label }) => label))
  if (labels.size === 1 || vectors.length <= MIN_LEAF) {
    return leaf(vectors)
  }
  const count = vectors[0]?.features.length ?? 0
  const tries = Math.ceil(Math.sqrt(count)) * CUTS_TRIED
  let best: { feature: number; cut: number; impurity: number } | undefined
  for (let attempt = 0; attempt < tries; attempt++) {
    const feature = Math.floor(random() * count)
    const values = vectors.map(({ features }) => features[feature] ?? 0)
    const [low, high] = [Math.min(...values), Math.max(...values)]
    if (low === high) {
      continue
    }
    const cut = low + (high - low) * random()
    const impurity = split(vectors, feature, cut).reduce((total, part) => total + part.length * gini(part), 0)
    if (best === undefined || impurity < best.impurity) {
      best = { feature, cut, impurity }
    }
  }
  if (best === undefined) {
    return leaf(vectors)
  }
  const { feature, cut } = best
  const [below, above] = split(vectors, feature, cut)
  return below.length === 0 || above.length === 0
    ? leaf(vectors)
    : { feature, cut, below: grow(below, random), above: grow(above, random) }
}

function leafOf(node: Node, features: readonly number[]): ReadonlyMap<number, number> {
  let at = node
  while (!('votes' in at)) {
    at = (features[at.feature] ?? 0) < at.cut ? at.below : at.above
  }
  return at.votes
}

function leaf(vectors: readonly Vector[]): Node {
  const votes = new Map<number, number>()
  for (const { label } of vectors) {
    votes.set(label, (votes.get(label) ?? 0) + 1 / vectors.length)
  }
  return { votes }
}

function split(vectors: readonly Vector[], feature: number, cut: number): [Vector[], Vector[]] {
  const isBelow = ({ features }: Vector): boolean => (features[feature] ?? 0) < cut
  return [vectors.filter(isBelow), vectors.filter(vector => !isBelow(vector))]
}

function gini(vectors: readonly Vector[]): number {
  const counts = new Map<number, number>()
  for (const { label } of vectors) {
    counts.set(label, (counts.get(label) ?? 0) + 1)
  }
  return 1 - [...counts.values()].reduce((total, count) => total + (count / vectors.length) ** 2, 0)
}
