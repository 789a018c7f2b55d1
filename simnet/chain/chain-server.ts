import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { Address } from '@ton/core'
import { type Clock, systemClock } from '../../src/core/clock.ts'
import { CocoonError, EnvironmentError, errorCode, UsageError } from '../../src/core/errors.ts'
import { type Logger, silentLogger } from '../../src/core/logger.ts'
import { nanoTon } from '../../src/core/nano-ton.ts'
import { type Faults, noFaults, setFaults } from './faults.ts'
import { SimChain } from './sim-chain.ts'
import { readStateFile, writeStateFile } from './state-file.ts'
import { ToncenterMethods } from './toncenter-methods.ts'

export interface ChainServerInit {
  /**
   * TCP port on 127.0.0.1; 0 picks a free one.
   * @default 0
   */
  port?: number
  /** File the chain is loaded from and saved to. Without it the chain is forgotten at the end. */
  stateFile?: string
  /**
   * Time between blocks, in milliseconds.
   * @default 400
   */
  blockTimeMs?: number
}

export interface ChainServerComponents {
  /** @default the system's clock */
  clock?: Clock
  /** @default silent */
  logger?: Logger
  /** Shows the chain of that server, started before, with faults of its own; makes no blocks and saves nothing. */
  replicaOf?: ChainServer
}

const DEFAULT_BLOCK_TIME_MS = 400

/** A message of 64 KiB in base64, and room for the rest. */
const MAX_BODY_BYTES = 128 * 1024

/** The chain is written at most this often. */
const SAVE_INTERVAL_MS = 1000

const STATUS: Readonly<Record<string, number>> = {
  PARAMS_INVALID: 422,
  STACK_INVALID: 422,
  METHOD_UNKNOWN: 404,
  PATH_UNKNOWN: 404,
  BODY_TOO_LARGE: 413,
  JSON_INVALID: 400,
  FAULTS_INVALID: 400,
  ADDRESS_INVALID: 400,
  AMOUNT_INVALID: 400,
  AMOUNT_OUT_OF_RANGE: 400
}

/**
 * A local chain: toncenter's JSON-RPC over the real TVM, with block time, persistence and faults. Only for tests and
 * simnets: it listens on 127.0.0.1 and asks nobody for a key.
 *
 * - `POST /api/v2/jsonRPC` the toncenter methods
 * - `POST /simnet/faucet` `{"address", "amount"}` (nanotons as text) gives money to an address
 * - `POST /simnet/faults` see {@link Faults}
 * - `GET /simnet/health` `{"ok", "seqno", "utime", "waiting", "faults"}`
 */
export class ChainServer {
  readonly #init: ChainServerInit
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #replicaOf: ChainServer | undefined
  readonly #faults: Faults = noFaults()
  readonly #requests = new RequestCount()
  #chain: SimChain | undefined
  #methods: ToncenterMethods | undefined
  #server: Server | undefined
  #blockTimer: NodeJS.Timeout | undefined
  #savedAtMs = 0
  #unsaved = false
  #producing: Promise<void> = Promise.resolve()

  constructor(components: ChainServerComponents = {}, init: ChainServerInit = {}) {
    this.#init = init
    this.#clock = components.clock ?? systemClock
    this.#logger = components.logger ?? silentLogger
    this.#replicaOf = components.replicaOf
  }

  /**
   * Loads the chain, starts to make blocks and to answer.
   *
   * @throws {EnvironmentError} `PORT_BUSY`, `SIMNET_STATE_INVALID`
   */
  async start(): Promise<void> {
    this.#chain = this.#replicaOf?.chain ?? (await this.#loadChain())
    this.#methods = new ToncenterMethods(this.#chain, this.#faults)
    this.#server = createServer((request, response) => void this.#answer(request, response))
    await listen(this.#server, this.#init.port ?? 0)
    if (this.#replicaOf === undefined) {
      this.#scheduleBlock()
    }
  }

  /** Undefined until it has started. */
  get chain(): SimChain | undefined {
    return this.#chain
  }

  async #loadChain(): Promise<SimChain> {
    const { stateFile, blockTimeMs = DEFAULT_BLOCK_TIME_MS } = this.#init
    const saved = stateFile === undefined ? undefined : readStateFile(stateFile)
    return saved === undefined ? SimChain.create(this.#clock) : SimChain.restore(saved, this.#clock, blockTimeMs)
  }

  /** Stops answering and saves the chain. */
  async stop(): Promise<void> {
    clearTimeout(this.#blockTimer)
    const server = this.#server
    this.#server = undefined
    if (server !== undefined) {
      await new Promise<void>(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
    }
    await this.#producing
    this.#unsaved = true
    await this.#save()
  }

  get port(): number {
    const address = this.#server?.address()
    return (address as AddressInfo | null | undefined)?.port ?? 0
  }

  /** `http://127.0.0.1:<port>`. */
  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** What the stock `TonClient` takes as its endpoint. */
  get endpoint(): string {
    return `${this.url}/api/v2/jsonRPC`
  }

  #scheduleBlock(): void {
    this.#blockTimer = setTimeout(() => {
      this.#producing = this.#tick().catch((err: unknown) => {
        this.#logger.error('block failed', { code: errorCode(err), message: String(err) })
      })
      void this.#producing.then(() => {
        if (this.#server !== undefined) {
          this.#scheduleBlock()
        }
      })
    }, this.#init.blockTimeMs ?? DEFAULT_BLOCK_TIME_MS)
  }

  async #tick(): Promise<void> {
    if (!this.#faults.stall) {
      await this.#chain?.produceBlock()
    }
    this.#unsaved ||= this.#chain?.takeChanged() ?? false
    if (this.#clock.nowMs() - this.#savedAtMs >= SAVE_INTERVAL_MS) {
      await this.#save()
    }
  }

  async #save(): Promise<void> {
    if (this.#unsaved && this.#chain !== undefined && this.#init.stateFile !== undefined) {
      this.#unsaved = false
      this.#savedAtMs = this.#clock.nowMs()
      await writeStateFile(this.#init.stateFile, await this.#chain.serialize())
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const api = request.method === 'POST' && request.url === '/api/v2/jsonRPC'
    let id: unknown = null
    try {
      if (api && this.#faults.down) {
        request.destroy()
        return
      }
      if (api && this.#requests.isTooMany(this.#faults.rateLimit, this.#clock.nowMs())) {
        send(response, 429, { ok: false, result: 'Ratelimit exceed', code: 429 })
        return
      }
      const body = request.method === 'POST' ? await readJson(request) : undefined
      id = field(body, 'id') ?? null
      if (api && this.#faults.delayMs > 0) {
        await delay(this.#faults.delayMs)
      }
      const result = api ? await this.#callMethod(body) : this.#simnet(request, body)
      send(response, 200, api ? { ok: true, result, jsonrpc: '2.0', id } : result)
    } catch (err) {
      const code = (errorCode(err) !== undefined && STATUS[errorCode(err) ?? '']) || 500
      // toncenter answers every refused message with 500; an unexpected error is ours and says nothing of itself.
      const error = err instanceof CocoonError ? err.message : 'Internal error'
      if (!(err instanceof CocoonError)) {
        this.#logger.error('request failed', { message: String(err) })
      }
      send(response, code, { ok: false, error, code, jsonrpc: '2.0', id })
    }
  }

  async #callMethod(body: unknown): Promise<unknown> {
    const method = field(body, 'method')
    const params = field(body, 'params') ?? {}
    if (typeof method !== 'string' || typeof params !== 'object') {
      throw new UsageError('JSON_INVALID', 'Expected {"jsonrpc": "2.0", "id", "method", "params"}')
    }
    return this.#methods?.call(method, params as Record<string, unknown>)
  }

  #simnet(request: IncomingMessage, body: unknown): object {
    switch (`${request.method} ${request.url}`) {
      case 'GET /simnet/health': {
        const { seqno, utime } = this.#chain?.block ?? { seqno: 0, utime: 0 }
        return { ok: true, seqno, utime, waiting: this.#chain?.waiting ?? 0, faults: this.#faults }
      }
      case 'POST /simnet/faults':
        setFaults(this.#faults, body)
        return { ok: true, faults: this.#faults }
      case 'POST /simnet/faucet':
        this.#chain?.fund(faucetAddress(field(body, 'address')), faucetAmount(field(body, 'amount')))
        return { ok: true }
      default:
        throw new UsageError('PATH_UNKNOWN', `${request.method} ${request.url?.slice(0, 80)}: no such path`)
    }
  }
}

/** Requests of the present second. */
class RequestCount {
  #second = 0
  #count = 0

  isTooMany(limit: number, nowMs: number): boolean {
    const second = Math.floor(nowMs / 1000)
    this.#count = second === this.#second ? this.#count + 1 : 1
    this.#second = second
    return limit > 0 && this.#count > limit
  }
}

function faucetAddress(value: unknown): Address {
  try {
    return Address.parse(String(value))
  } catch (err) {
    throw new UsageError('ADDRESS_INVALID', 'address: expected an address', { cause: err })
  }
}

function faucetAmount(value: unknown): ReturnType<typeof nanoTon> {
  if (typeof value !== 'string' || !/^\d{1,30}$/.test(value)) {
    throw new UsageError('AMOUNT_INVALID', 'amount: expected nanotons as text, like "1000000000"')
  }
  return nanoTon(BigInt(value))
}

function field(body: unknown, name: string): unknown {
  return typeof body === 'object' && body !== null ? (body as Record<string, unknown>)[name] : undefined
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.byteLength
    if (size > MAX_BODY_BYTES) {
      throw new UsageError('BODY_TOO_LARGE', `The request is larger than ${MAX_BODY_BYTES} bytes`)
    }
    parts.push(part)
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString('utf8'))
  } catch (err) {
    throw new UsageError('JSON_INVALID', 'The request is not JSON', { cause: err })
  }
}

function send(response: ServerResponse, status: number, body: unknown): void {
  if (!response.headersSent && !response.destroyed) {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  }
}

async function listen(server: Server, port: number): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, '127.0.0.1', resolve)
    })
  } catch (err) {
    if (errorCode(err) === 'EADDRINUSE') {
      throw new EnvironmentError('PORT_BUSY', `Port ${port} is taken: choose another one with --port`, {
        cause: err,
        details: { port }
      })
    }
    throw err
  }
}
