import type { ImportEdge } from './source-tree.ts'

const BELOW_ROLES = ['core', 'wire', 'seal', 'attest', 'inference', 'enclave', 'payments', 'ton', 'mesh', 'market']

/** Which areas of `src` an area may import besides itself. The table of docs/architecture.md. */
export const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  config: ['core'],
  wire: ['core'],
  seal: ['core'],
  attest: ['core', 'wire'],
  inference: ['core'],
  enclave: ['core', 'wire', 'seal', 'attest', 'inference'],
  payments: ['core', 'wire'],
  ton: ['core'],
  mesh: ['core', 'wire'],
  market: ['core', 'wire'],
  provider: BELOW_ROLES,
  client: BELOW_ROLES.filter(area => area !== 'inference' && area !== 'enclave'),
  node: [...BELOW_ROLES, 'config', 'provider', 'client'],
  cli: ['core', 'config', 'node'],
  /** `src/index.ts`, the library API. */
  index: ['core', 'config', 'node', 'client']
}

/** Areas that may be imported for their types only, beyond the table above. */
const MAY_IMPORT_TYPES: Readonly<Record<string, readonly string[]>> = {
  cli: ['client']
}

/** Packages that stay behind one area's port. */
const SOLE_USERS: ReadonlyArray<{ packages: RegExp; areas: readonly string[] }> = [
  { packages: /^libp2p$|^@libp2p\/|^@chainsafe\/libp2p-/, areas: ['mesh'] },
  { packages: /^@ton\/(?!sandbox$|tolk-js$)/, areas: ['ton'] },
  { packages: /^@ton\/(?:sandbox|tolk-js)$/, areas: [] },
  { packages: /^node-llama-cpp$|^@huggingface\/jinja$/, areas: ['inference'] },
  { packages: /^(?:classic|datastore|abstract)-level$/, areas: ['node'] },
  { packages: /^(?:commander|cli-progress)$/, areas: ['cli'] },
  { packages: /^@noble\//, areas: ['seal'] }
]

/**
 * What `simnet` may use of the node: it drives nodes through what users have (CLI, HTTP, library API), and its own
 * commands speak to the terminal as the others do.
 */
const SIMNET_MAY_IMPORT =
  /^(?:simnet\/|src\/core\/|src\/config\/|src\/index\.ts$|src\/node\/index\.ts$|src\/cli\/(?:errors|interrupt|io|option-values|output|table)\.ts$)/

/** The benchmark also times parts by themselves, each through its area's public API; a home folder's database has none. */
const BENCH_MAY_IMPORT = /^(?:src\/wire\/|src\/[a-z]+\/index\.ts$|src\/node\/store\.ts$)/

/** `cocoon-node simnet …` is the one door from the node's sources to the simulated network. */
const SIMNET_DOOR = /^src\/cli\/(?:main|commands\/simnet[^/]*)\.ts$/

/** Why an import is against the rules, or undefined. `from` lies in `src`, `simnet` or `contracts`. */
export function forbidden(edge: ImportEdge): string | undefined {
  const { from, to } = edge
  if (to === undefined) {
    return `${from} imports something computed: write the path out`
  }
  const reason = 'packageName' in to ? forbiddenPackage(from, to.packageName) : forbiddenFile(edge, to.file)
  return reason === undefined ? undefined : `${from} imports ${edge.specifier}: ${reason}`
}

function forbiddenPackage(from: string, packageName: string): string | undefined {
  const area = areaOf(from)
  if (area === undefined) {
    // The simulated chain is made of TON's libraries; the simnet holds no mesh or model of its own.
    const foreign = SOLE_USERS.find(({ packages }) => packages.test(packageName))
    const open = isBench(from) ? /^@ton\/|^(?:classic|abstract)-level$/ : /^@ton\/|^(?:commander|cli-progress)$/
    return foreign === undefined || open.test(packageName) ? undefined : `only src/${foreign.areas.join(', src/')} may`
  }
  const rule = SOLE_USERS.find(({ packages, areas }) => packages.test(packageName) && !areas.includes(area))
  return rule === undefined
    ? undefined
    : rule.areas.length === 0
      ? 'src may not'
      : `only src/${rule.areas.join(', src/')} may`
}

function forbiddenFile({ from, typeOnly }: ImportEdge, file: string): string | undefined {
  const area = areaOf(from)
  if (area === undefined) {
    const allowed = SIMNET_MAY_IMPORT.test(file) || (isBench(from) && BENCH_MAY_IMPORT.test(file))
    return from.startsWith('simnet/') && !allowed
      ? 'simnet drives nodes through the CLI, HTTP and the library API'
      : undefined
  }
  const target = areaOf(file)
  if (target === undefined) {
    return file.startsWith('simnet/') && SIMNET_DOOR.test(from) ? undefined : 'it lies outside src'
  }
  const allowed = MAY_IMPORT[area]
  if (allowed === undefined) {
    return `src/${area} is not in the table of areas`
  }
  const types = typeOnly ? (MAY_IMPORT_TYPES[area] ?? []) : []
  return target === area || allowed.includes(target) || types.includes(target)
    ? undefined
    : `src/${area} may import only ${[...allowed, ...types].join(', ') || 'itself'}`
}

function isBench(file: string): boolean {
  return file.startsWith('simnet/bench/')
}

/** `mesh` of `src/mesh/…`, `index` of `src/index.ts`, undefined outside `src`. */
export function areaOf(file: string): string | undefined {
  return /^src\/([^/]+?)(?:\.ts)?(?:\/|$)/.exec(file)?.[1]
}
