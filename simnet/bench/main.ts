import '../../src/core/node20-shim.ts'
import { mkdtemp, rm } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { toHex } from '../../src/core/bytes.ts'
import type { CocoonNode } from '../../src/index.ts'
import { defaultModelPath, type Engine, openLlamaEngine } from '../../src/inference/index.ts'
import { PROTOCOLS } from '../../src/wire/protocols.ts'
import { commandOptions } from '../command-options.ts'
import { benchAccept } from './accept.ts'
import { type AnswerPiece, type AnswerTiming, streamRate, timeAnswer, wholeRate } from './answer-timer.ts'
import { BenchMesh } from './bench-mesh.ts'
import { benchLedger } from './ledger.ts'
import { comparePaying } from './paying.ts'
import { writeRandomModel } from './random-model.ts'
import { benchSeal } from './seal.ts'
import { median, round, spread } from './statistics.ts'
import { benchVouchers } from './vouchers.ts'

// Prints one JSON object. Everything is a ratio or a median of one run.

const QUESTION = 'Tell me a story about a fox.'
const MAX_TOKENS = 400
const LEDGER_CHANNELS = 10_000

const USAGE =
  'npm run bench -- [--rounds 15] [--model <gguf> | --random-weights] [--only stream | books | paying | sealing]'
const { values, whole, refuse } = commandOptions(USAGE, {
  options: {
    rounds: { type: 'string', default: '15' },
    model: { type: 'string' },
    'random-weights': { type: 'boolean', default: false },
    only: { type: 'string' }
  }
})
const rounds = whole('rounds', 1, 10_000)
const PARTS: ReadonlyArray<string | undefined> = [undefined, 'stream', 'books', 'paying', 'sealing']
if (!PARTS.includes(values.only)) {
  refuse(`--only ${values.only}: expected stream, books, paying or sealing`)
}
const folder = await mkdtemp(join(tmpdir(), 'cocoon-bench-model-'))
const modelPath = await chooseModel()

const engine = await openLlamaEngine({ modelPath, threads: 1, slots: 1 })
const modelDigestHex = toHex(engine.model.digest)
const mesh = await BenchMesh.start(modelPath)
try {
  const idle = await mesh.memory()
  const { client, coldMs, offerMs } = await coldStarts()
  const stream = wants('stream') ? await compareStreams(client) : undefined
  const payments = {
    ...(wants('books') ? await benchBooks() : {}),
    ...(wants('paying') ? { paidOverFreeStream: await comparePaid(client) } : {})
  }
  console.log(
    JSON.stringify(
      {
        machine: { cores: cpus().length, cpu: cpus()[0]?.model, node: process.version },
        model: { name: engine.model.name, parameters: engine.model.parameters, threads: 1, rounds },
        stream,
        coldFirstTokenMs: coldMs,
        announcementToOfferMs: offerMs,
        payments,
        sealing: wants('sealing') ? benchSeal() : undefined,
        memory: { idle, afterLoad: await mesh.memory() }
      },
      null,
      2
    )
  )
} finally {
  await mesh.stop()
  await engine.close()
  await rm(folder, { recursive: true, force: true })
}

/** The model named, one of 21 million random weights, or the shipped one. */
async function chooseModel(): Promise<string> {
  if (!values['random-weights']) {
    return values.model ?? defaultModelPath()
  }
  const path = join(folder, 'random.gguf')
  await writeRandomModel(defaultModelPath(), path)
  return path
}

/** Whether `--only` leaves this part in. */
function wants(part: 'stream' | 'books' | 'paying' | 'sealing'): boolean {
  return values.only === undefined || values.only === part
}

/** What vouchers and the ledger cost by themselves. */
async function benchBooks() {
  return {
    ...benchVouchers(),
    accepting: [await benchAccept(1), await benchAccept(32), await benchAccept(64), await benchAccept(256)],
    ledger: await benchLedger(LEDGER_CHANNELS)
  }
}

async function comparePaid(client: CocoonNode) {
  const free = await mesh.freeProvider(modelPath)
  const paid = mesh.ready.peerId
  return comparePaying(
    () => timeAnswer(ask(client, paid)),
    () => timeAnswer(ask(client, free)),
    2 * rounds
  )
}

/** First questions of fresh clients: discovery, attestation, announcement, offer, channel. */
async function coldStarts(): Promise<{ client: CocoonNode; coldMs: object; offerMs: object }> {
  const withOpening: number[] = []
  const withChannel: number[] = []
  const offers: number[] = []
  let client: CocoonNode | undefined
  for (let round = 0; round < 3; round++) {
    await client?.stop()
    const watch = offerWatch()
    client = await mesh.client({ tap: watch.tap })
    const address = mesh.ready.peerId
    withOpening.push((await timeAnswer(ask(client))).firstTokenMs)
    offers.push(watch.elapsedMs())
    // A second client with an open channel but no session: the channel is opened before the clock starts.
    await client.stop()
    const second = await mesh.client()
    await second.client?.openChannel(address)
    withChannel.push((await timeAnswer(ask(second))).firstTokenMs)
    client = second
  }
  return {
    client: client as CocoonNode,
    coldMs: { channelOpenedOnTheWay: spread(withOpening), channelOpenBefore: spread(withChannel) },
    offerMs: spread(offers)
  }
}

/** Time from the announcement leaving this node to the offer arriving. */
function offerWatch(): {
  tap: NonNullable<Parameters<BenchMesh['client']>[0]>['tap'] & object
  elapsedMs: () => number
} {
  let announcedMs = Number.NaN
  let offeredMs = Number.NaN
  return {
    tap: ({ kind, direction, protocol }) => {
      if (kind === 'gossip' && direction === 'out' && protocol.startsWith('/cocoon/jobs/')) {
        announcedMs = performance.now()
      } else if (kind === 'stream' && direction === 'in' && protocol === PROTOCOLS.offer) {
        offeredMs = performance.now()
      }
    },
    elapsedMs: () => offeredMs - announcedMs
  }
}

/** The same question in turns: over the mesh on a warm session, and on the same engine in this process. */
async function compareStreams(client: CocoonNode) {
  const overMesh: AnswerTiming[] = []
  const inProcess: AnswerTiming[] = []
  await timeAnswer(ask(client))
  await timeAnswer(generate(engine))
  for (let turn = 0; turn < rounds; turn++) {
    inProcess.push(await timeAnswer(generate(engine)))
    overMesh.push(await timeAnswer(ask(client)))
  }
  const ratios = (rate: (timing: AnswerTiming) => number) =>
    spread(
      overMesh.map((timing, at) => rate(timing) / rate(inProcess[at] as AnswerTiming)),
      3
    )
  const added = overMesh.map((timing, at) => timing.firstTokenMs - (inProcess[at] as AnswerTiming).firstTokenMs)
  return {
    tokensPerAnswer: median(overMesh.map(({ tokens }) => tokens)),
    meshTokensPerSecond: spread(overMesh.map(streamRate)),
    engineTokensPerSecond: spread(inProcess.map(streamRate)),
    meshOverEngine: ratios(streamRate),
    wholeAnswerMeshOverEngine: ratios(wholeRate),
    warmAddedFirstTokenMs: spread(added, 2),
    engineFirstTokenMs: round(median(inProcess.map(({ firstTokenMs }) => firstTokenMs)))
  }
}

async function* ask(node: CocoonNode, provider?: string): AsyncGenerator<AnswerPiece> {
  const request = {
    ...(provider === undefined ? {} : { provider }),
    messages: [{ role: 'user' as const, content: QUESTION }],
    modelDigestHex,
    maxTokens: MAX_TOKENS,
    temperature: 0
  }
  for await (const event of node.client?.ask(request) ?? []) {
    if (event.type === 'text') {
      yield { text: event.text }
    } else if (event.type === 'end') {
      yield { tokens: event.usage.completionTokens, vouchers: event.vouchers }
    }
  }
}

async function* generate(local: Engine): AsyncGenerator<AnswerPiece> {
  const request = { messages: [{ role: 'user' as const, content: QUESTION }], maxTokens: MAX_TOKENS, temperature: 0 }
  for await (const event of local.generate(request)) {
    if (event.type === 'text') {
      yield { text: event.text }
    } else if (event.type === 'end') {
      yield { tokens: event.completionTokens, vouchers: 0 }
    }
  }
}
