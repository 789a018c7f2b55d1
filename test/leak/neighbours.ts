import type { Learner } from './classify.ts'

const K = 5

/** The commonest label of the five nearest vectors, each feature scaled to a deviation of one. */
export const nearestNeighbours: Learner = (vectors, random) => {
  const scales = (vectors[0]?.features ?? []).map((_, at) => scaleOf(vectors.map(({ features }) => features[at] ?? 0)))
  const known = vectors.map(({ label, features }) => ({ label, scaled: scaled(features) }))

  function scaled(features: readonly number[]): number[] {
    return features.map((value, at) => value * (scales[at] ?? 0))
  }

  return features => {
    const wanted = scaled(features)
    const nearest = known
      // Equal ones come in no order: a tie must not favour the class that was recorded first.
      .map(({ label, scaled: other }) => ({ label, distance: distance(wanted, other), tie: random() }))
      .toSorted((a, b) => a.distance - b.distance || a.tie - b.tie)
      .slice(0, K)
    const votes = new Map<number, number>()
    for (const { label } of nearest) {
      votes.set(label, (votes.get(label) ?? 0) + 1)
    }
    return [...votes].reduce((best, vote) => (vote[1] > best[1] ? vote : best), [-1, 0])[0]
  }
}

function scaleOf(values: readonly number[]): number {
  const mean = values.reduce((total, value) => total + value, 0) / values.length
  const deviation = Math.sqrt(values.reduce((total, value) => total + (value - mean) ** 2, 0) / values.length)
  return deviation === 0 ? 0 : 1 / deviation
}

function distance(a: readonly number[], b: readonly number[]): number {
  return a.reduce((total, value, at) => total + (value - (b[at] ?? 0)) ** 2, 0)
}
