import { growForest, type Vector } from './forest.ts'
import { nearestNeighbours } from './neighbours.ts'
import { seededRandom } from './seeded-random.ts'
import { featuresOf, type Trace } from './trace.ts'

/** How often a classifier names the right class of a trace it was not trained on. */
export interface Accuracy {
  classifier: string
  right: number
  of: number
  /** Wilson's 95 % interval. */
  low: number
  high: number
}

const FOLDS = 5

/** Learns from labelled vectors; what it returns guesses the label of another. */
export type Learner = (vectors: readonly Vector[], random: () => number) => (features: readonly number[]) => number

const LEARNERS: Readonly<Record<string, Learner>> = { forest: growForest, neighbours: nearestNeighbours }

/** Five-fold cross validation, each class spread over all folds, with every classifier. */
export function classify(traces: readonly Trace[], seed: number): Accuracy[] {
  const random = seededRandom(seed)
  const vectors = shuffled(traces, random).map(trace => ({ label: trace.label, features: featuresOf(trace) }))
  const folds = spread(vectors)
  return Object.entries(LEARNERS).map(([classifier, learn]) => {
    let right = 0
    for (let fold = 0; fold < FOLDS; fold++) {
      const guess = learn(
        vectors.filter((_, at) => folds[at] !== fold),
        random
      )
      right += vectors.filter((vector, at) => folds[at] === fold && guess(vector.features) === vector.label).length
    }
    return { classifier, right, of: vectors.length, ...wilson(right, vectors.length) }
  })
}

/** Wilson score interval at 95 %. */
export function wilson(right: number, of: number): { low: number; high: number } {
  const z = 1.959964
  const share = right / of
  const middle = share + z ** 2 / (2 * of)
  const half = z * Math.sqrt((share * (1 - share)) / of + z ** 2 / (4 * of ** 2))
  const scale = 1 + z ** 2 / of
  return { low: (middle - half) / scale, high: (middle + half) / scale }
}

function spread(vectors: readonly Vector[]): number[] {
  const counts = new Map<number, number>()
  return vectors.map(({ label }) => {
    const before = counts.get(label) ?? 0
    counts.set(label, before + 1)
    return before % FOLDS
  })
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  return items
    .map(item => ({ item, key: random() }))
    .toSorted((a, b) => a.key - b.key)
    .map(({ item }) => item)
}
