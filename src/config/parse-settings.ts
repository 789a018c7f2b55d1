import type * as z from 'zod'
import { UsageError } from '../core/errors.ts'

/** Settings, at any place, whose value never appears in an error. */
const SECRET = new Set<PropertyKey | undefined>(['apiKey'])
const SHOWN_CHARACTERS = 60

/** How mistakes in a file of settings are named. */
export interface SettingsKind {
  /** Code for a key that the schema does not have. */
  readonly unknownKey: string
  /** Code for a value that cannot be. */
  readonly invalid: string
  /** What errors name, e.g. the file's path. */
  readonly source: string
}

/**
 * Checks settings against a schema and fills in its defaults.
 *
 * @throws {UsageError} `kind.unknownKey` for a key the schema does not have, naming the nearest known ones
 * @throws {UsageError} `kind.invalid` for a bad value, naming its path, the value and what was expected
 */
export function parseSettings<T extends z.ZodType>(schema: T, value: unknown, kind: SettingsKind): z.output<T> {
  const result = schema.safeParse(value)
  if (result.success) {
    return result.data
  }
  const { issues } = result.error
  // One line for one mistake. A misspelt key is often why another value is missing: it goes first.
  const issue = issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0]
  throw issue === undefined ? result.error : issueError(issue, value, schema, kind)
}

function issueError(issue: z.core.$ZodIssue, root: unknown, schema: unknown, kind: SettingsKind): UsageError {
  const { source } = kind
  const path = pathText(issue.path)
  if (issue.code === 'unrecognized_keys') {
    const key = pathText([...issue.path, issue.keys[0] ?? ''])
    const known = knownKeys(schema, issue.path).join(', ')
    return new UsageError(kind.unknownKey, `${source}: "${key}" is not a setting: expected one of ${known}`, {
      details: { source, key }
    })
  }
  const shown = SECRET.has(issue.path.at(-1))
    ? 'set to something else (not shown)'
    : describe(valueAt(root, issue.path))
  return new UsageError(
    kind.invalid,
    `${source}: ${path === '' ? 'it' : path} is ${shown}: expected ${issue.message}`,
    {
      details: { source, path }
    }
  )
}

/** The settings at a path of the schema, so that a typo is easily mended. */
function knownKeys(schema: unknown, path: readonly PropertyKey[]): string[] {
  let shape: unknown = schema
  for (const key of path) {
    shape = typeof key === 'number' ? shape : shapeOf(shape)?.[String(key)]
  }
  return Object.keys(shapeOf(shape) ?? {})
}

/** Unwraps defaults and lists down to an object's shape. */
function shapeOf(schema: unknown): Readonly<Record<string, unknown>> | undefined {
  let inner = schema
  while (typeof inner === 'object' && inner !== null) {
    if ('shape' in inner) {
      return inner.shape as Readonly<Record<string, unknown>>
    }
    const { def } = inner as { def?: { innerType?: unknown; element?: unknown } }
    inner = def?.innerType ?? def?.element
  }
  return undefined
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  let value = root
  for (const key of path) {
    value = typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined
  }
  return value
}

function describe(value: unknown): string {
  if (value === undefined) {
    return 'missing'
  }
  const json = JSON.stringify(value, (key, inner: unknown) => (SECRET.has(key) ? '…' : inner))
  return json.length > SHOWN_CHARACTERS ? `${json.slice(0, SHOWN_CHARACTERS)}…` : json
}

/** `mesh.listen[0]` */
function pathText(path: readonly PropertyKey[]): string {
  return path
    .map(key => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
    .join('')
    .replace(/^\./, '')
}
