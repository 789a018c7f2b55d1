import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { AskRequest } from '../../src/client/index.ts'
import { errorCode } from '../../src/core/errors.ts'
import { defaultModelPath } from '../../src/inference/index.ts'
import type { TrafficEvent } from '../../src/mesh/index.ts'
import type { CocoonNode } from '../../src/node/index.ts'
import { ResponseKey } from '../../src/seal/index.ts'
import { modelAnswer } from '../support/model-answer.ts'
import { question, TestMesh } from '../support/test-mesh.ts'
import { type Captured, captureFiles } from '../support/traces.ts'
import { HostProcess } from './host-process.ts'
import { type Snapshot, snapshots } from './process-memory.ts'
import { randomPrompt, type Secret, storyPrompt, textSecret } from './secret.ts'
import { type Finding, TracesFound, Unremarkable } from './traces-found.ts'

export interface CanaryInit {
  /** Leaking enclave build of test/support, like `leaky-disk-main.js`. */
  leaky?: string
  /** A host that logs what its enclave writes to stderr. */
  logsStderr?: boolean
  /** Look for windows that stand where nobody asked: in a second host, and in the model's file. */
  control?: boolean
  privacy?: AskRequest['privacy']
  /** Ask for one story only, and work the answer out beforehand: for a build whose answer the client cannot read. */
  foretold?: boolean
  /**
   * Random words of the question; from some hundreds on it is longer than the model can take.
   * @default 24
   */
  words?: number
  /**
   * Stop after this many, though no story was long enough.
   * @default 6
   */
  questions?: number
}

/** What one look at a process's memory found. */
export interface MemoryLook {
  /** `question 1, event 4`, … while an answer streams, {@link AFTER} once all ended. */
  when: string
  readBytes: number
  unreadableBytes: number
  /** How long the search took, in milliseconds. */
  ms: number
  findings: Finding[]
}

export interface CanaryResult {
  secrets: Secret[]
  host: MemoryLook[]
  enclave: MemoryLook[]
  /** In files, logs and traffic, under where it was. */
  outside: Finding[]
  outsideBytes: number
  unremarkable: Unremarkable
  /** Code of the error that the client got, if it did. */
  failure: string | undefined
}

/** Text events of an answer after which both processes are stopped and read. */
const LOOK_AFTER_EVENTS = [1, 4]
/** Of the look when all was said. */
export const AFTER = 'after'
const DEFAULT_WORDS = 24
const MOST_QUESTIONS = 6
const MAX_TOKENS = 100
/** Characters of a story that make it unlike any other. */
const LONG_ANSWER = 120

/**
 * Paid jobs from a client in this process to `cocoon-node provide` in another one, with everything read that somebody
 * who owns the host can read: its memory while the answer streams and after, its files, its logs, its traffic.
 *
 * @throws {Error} if memory of another process may not be read here
 */
export async function runCanary(init: CanaryInit = {}): Promise<CanaryResult> {
  const folder = await mkdtemp(join(tmpdir(), 'cocoon-canary-'))
  const mesh = await TestMesh.start()
  const hosts: HostProcess[] = []
  const open = async (name: string): Promise<{ host: HostProcess; folders: string[] }> => {
    const [capture, scratch] = [join(folder, name, 'sockets'), join(folder, name, 'scratch')]
    await Promise.all([capture, scratch].map(path => mkdir(path, { recursive: true })))
    const home = await mesh.home()
    const { leaky, logsStderr } = name === 'host' ? init : {}
    const enclaveEntry =
      leaky === undefined ? undefined : fileURLToPath(new URL(`../support/${leaky}`, import.meta.url))
    const host = await HostProcess.start({ home, capture, scratch, enclaveEntry, logsStderr })
    hosts.push(host)
    return { host, folders: [home, capture, scratch] }
  }
  const keys = watchResponseKeys()
  try {
    const { host, folders } = await open('host')
    const traffic: Captured[] = []
    const client = await mesh.client({
      tap: event => void traffic.push(captured(event)),
      overrides: config => ({ ...config, mesh: { ...config.mesh, bootstrap: host.addresses } })
    })
    await host.published()
    const asked = await askAll(client, host, keys.seen, init)
    const console = host.console
    await host.stop()
    const found = new TracesFound(asked.secrets)
    for (const { where, bytes } of [...traffic, ...(await filesIn(folders)), { where: 'console', bytes: console }]) {
      found.scan(bytes, where)
    }
    const unremarkable = new Unremarkable()
    if (init.control === true) {
      await client.stop()
      const control = await open('control')
      const [memory] = snapshots([control.host.pid]) as [Snapshot]
      unremarkable.add((await searchMemory(memory, asked.secrets, 'control')).findings)
      await control.host.stop()
      const files = new TracesFound(asked.secrets)
      for (const { where, bytes } of await filesIn(control.folders)) {
        files.scan(bytes, where)
      }
      files.scan(await readFile(defaultModelPath()), 'model')
      unremarkable.add(files.findings)
    }
    return { ...asked, outside: found.findings, outsideBytes: found.scannedBytes, unremarkable }
  } finally {
    keys.restore()
    await Promise.all(hosts.map(host => host.kill()))
    await mesh.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

/** Everything that must stay in the enclave, as far as it is known by now. */
class Conversation {
  readonly #texts: Array<{ name: string; text: string }> = []
  readonly #keys: readonly Uint8Array[]

  constructor(keys: readonly Uint8Array[]) {
    this.#keys = keys
  }

  get secrets(): Secret[] {
    return [
      ...this.#texts
        .filter(({ text }) => Buffer.byteLength(text) >= 10)
        .map(({ name, text }) => textSecret(name, text)),
      ...this.#keys.map((bytes, at) => ({ name: `response key ${at + 1}`, bytes }))
    ]
  }

  /** Begins a text. Returns what adds to it. */
  begin(name: string): (text: string) => number {
    const entry = { name, text: '' }
    this.#texts.push(entry)
    return text => (entry.text += text).length
  }
}

type Asked = Pick<CanaryResult, 'secrets' | 'host' | 'enclave' | 'failure'>

/** One question of random words, then stories until one is long enough to be recognised by. */
async function askAll(
  client: CocoonNode,
  host: HostProcess,
  keys: readonly Uint8Array[],
  init: CanaryInit
): Promise<Asked> {
  const conversation = new Conversation(keys)
  const looks: Pick<Asked, 'host' | 'enclave'> = { host: [], enclave: [] }
  const look = async (when: string): Promise<void> => {
    const { secrets } = conversation
    const [ofHost, ofEnclave] = snapshots([host.pid, host.enclavePid]) as [Snapshot, Snapshot]
    looks.host.push(await searchMemory(ofHost, secrets, when))
    looks.enclave.push(await searchMemory(ofEnclave, secrets, when))
  }
  let failure: string | undefined
  try {
    const { words = DEFAULT_WORDS, questions = MOST_QUESTIONS, privacy, foretold = false } = init
    let longest = 0
    for (let asked = 1; asked <= (foretold ? 1 : questions) && longest < LONG_ANSWER; asked++) {
      const content = asked === 1 && !foretold ? randomPrompt(words) : storyPrompt()
      conversation.begin(`prompt ${asked}`)(content)
      const answered = conversation.begin(`answer ${asked}`)
      if (foretold) {
        answered(await modelAnswer(content, MAX_TOKENS, 'off'))
      }
      let events = 0
      const request = question({
        messages: [{ role: 'user', content }],
        maxTokens: MAX_TOKENS,
        // Warm enough for an answer that nobody ever got.
        temperature: foretold ? 0 : 0.8,
        ...(privacy === undefined ? {} : { privacy })
      })
      for await (const event of (client.client as NonNullable<typeof client.client>).ask(request)) {
        if (event.type === 'text') {
          const length = answered(foretold ? '' : event.text)
          longest = asked === 1 ? 0 : length
          events++
          if (LOOK_AFTER_EVENTS.includes(events)) {
            await look(`question ${asked}, event ${events}`)
          }
        }
      }
    }
  } catch (err) {
    failure = errorCode(err) ?? String(err)
  }
  await look(AFTER)
  return { secrets: conversation.secrets, ...looks, failure }
}

async function searchMemory(
  { pieces, readBytes, unreadableBytes }: Snapshot,
  secrets: readonly Secret[],
  when: string
): Promise<MemoryLook> {
  const found = new TracesFound(secrets)
  let ms = 0
  for (const { bytes, region } of pieces) {
    const startMs = performance.now()
    found.scan(bytes, `memory ${region}`)
    ms += performance.now() - startMs
    // This process is the client as well: it must not fall silent.
    await new Promise(setImmediate)
  }
  return { when, readBytes, unreadableBytes, ms, findings: found.findings }
}

async function filesIn(folders: readonly string[]): Promise<Captured[]> {
  return (await Promise.all(folders.map(captureFiles))).flat()
}

function captured({ protocol, kind, direction, bytes }: TrafficEvent): Captured {
  return { where: `${kind} ${direction} ${protocol}`, bytes: Uint8Array.from(bytes) }
}

/** The keys that answers are opened with in this process: the client's side of them. */
function watchResponseKeys(): { seen: Uint8Array[]; restore: () => void } {
  const take = Reflect.get(ResponseKey.prototype, 'takeForOpening')
  const seen: Uint8Array[] = []
  ResponseKey.prototype.takeForOpening = function (this: ResponseKey) {
    const parts = take.call(this)
    seen.push(Uint8Array.from(parts.key))
    return parts
  }
  return {
    seen,
    restore: () => {
      ResponseKey.prototype.takeForOpening = take
    }
  }
}
