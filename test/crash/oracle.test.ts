import assert from 'node:assert/strict'
import { fromHex } from '../../src/core/bytes.ts'
import { ed25519FromSeed, ed25519PublicKey } from '../../src/core/ed25519.ts'
import { nanoTon } from '../../src/core/nano-ton.ts'
import { encodeVoucher, signVoucher, type Voucher, verifyVoucher } from '../../src/payments/index.ts'
import { encodeChannelReply, encodeChannelRequest } from '../../src/wire/channel-exchange.ts'
import { encodeJobDown, encodeJobUp } from '../../src/wire/job-stream.ts'
import { PROTOCOLS } from '../../src/wire/protocols.ts'
import type { ChannelFacts } from './channel-facts.ts'
import { JOB_EXPOSURE, PROMPT_TOKENS } from './job-terms.ts'
import { Oracle } from './oracle.ts'

const KEY = ed25519FromSeed(new Uint8Array(32).fill(1))
const PUBLIC_KEY = ed25519PublicKey(KEY.publicKey)
const CHANNEL = `0:${'ab'.repeat(32)}`
/** What a chunk with this many tokens in all costs. */
const TOKEN = 1_000_000n
const PROMPT = BigInt(PROMPT_TOKENS) * 10_000n

/** Speaks for both sides. */
class Talk {
  readonly oracle = new Oracle(voucher => verifyVoucher(PUBLIC_KEY, -217, voucher))
  #streams = 0

  open(protocol: string = PROTOCOLS.job): number {
    this.#streams++
    this.oracle.frame('payer', { type: 'open', stream: this.#streams, bytes: Buffer.from(protocol) })
    return this.#streams
  }

  pay(stream: number, cumulative: bigint, more: Partial<Voucher> = {}): this {
    const voucher = { ...sign(cumulative), ...more }
    const bytes = encodeJobUp({ type: 'voucher', voucher: encodeVoucher(voucher) })
    this.oracle.frame('payer', { type: 'data', stream, bytes })
    return this
  }

  chunk(stream: number, completionTokens: number): this {
    const usage = { promptTokens: PROMPT_TOKENS, cachedPromptTokens: 0, completionTokens }
    const bytes = encodeJobDown({ type: 'chunk', sealed: new Uint8Array(), usage })
    this.oracle.frame('payee', { type: 'data', stream, bytes })
    return this
  }

  end(stream: number): this {
    this.oracle.frame('payee', { type: 'close', stream, bytes: new Uint8Array() })
    return this
  }

  sync(held: bigint, spent: bigint): this {
    const { openedLt, cumulative, signature } = sign(held)
    const bytes = encodeChannelRequest({
      type: 'sync',
      channel: CHANNEL,
      openedLt,
      cumulative,
      signature,
      spent: nanoTon(spent)
    })
    this.oracle.frame('payer', { type: 'data', stream: this.open(PROTOCOLS.channel), bytes })
    return this
  }

  state(held: bigint, delivered: bigint): this {
    const stream = this.open(PROTOCOLS.channel)
    const bytes = encodeChannelReply({
      type: 'state',
      channel: CHANNEL,
      openedLt: 7n,
      cumulative: nanoTon(held),
      signature: sign(held).signature,
      delivered: nanoTon(delivered),
      deposit: nanoTon(10n ** 9n),
      settled: nanoTon(0n),
      closing: false
    })
    this.oracle.frame('payee', { type: 'data', stream, bytes })
    return this
  }

  books(role: 'payer' | 'payee', more: Partial<ChannelFacts>): this {
    const none = { deposit: 0n, settled: 0n, promised: 0n, used: 0n, uncertain: 0n }
    this.oracle.cut()
    this.oracle.restarted(role, [{ channel: CHANNEL, openedLt: 7n, state: 'open', ...none, ...more }])
    return this
  }

  get violations(): number {
    return this.oracle.violations.length
  }
}

function sign(cumulative: bigint): Voucher {
  return signVoucher(KEY, -217, { channel: CHANNEL, openedLt: 7n, cumulative: nanoTon(cumulative) })
}

/** A job that was paid one window, 10 tokens of it delivered, and acknowledged. */
function talk(): Talk {
  const one = new Talk()
  const stream = one.open()
  return one
    .pay(stream, JOB_EXPOSURE)
    .chunk(stream, 10)
    .end(stream)
    .state(JOB_EXPOSURE, 10n * TOKEN + PROMPT)
}

const DELIVERED = 10n * TOKEN + PROMPT

describe('crash oracle', () => {
  it('has nothing to say about a life in order', () => {
    const one = talk()
      .books('payer', { promised: JOB_EXPOSURE })
      .books('payee', { promised: JOB_EXPOSURE, used: DELIVERED })
    one.oracle.settled({ channel: CHANNEL, openedLt: 7n, deposits: [], settled: JOB_EXPOSURE, agreed: false })
    assert.deepEqual(one.oracle.violations, [])
  })

  const broken: Record<string, (one: Talk) => void> = {
    'a payee that lost an acknowledged voucher': one =>
      one.books('payee', { promised: JOB_EXPOSURE - 1n, used: DELIVERED }),
    'a payee that forgot what it delivered': one => one.books('payee', { promised: JOB_EXPOSURE, used: 0n }),
    'a payee that holds what nobody signed': one =>
      one.books('payee', { promised: JOB_EXPOSURE + 1n, used: DELIVERED }),
    'a payee whose channel is gone': one => one.oracle.restarted('payee', []),
    'a payer that forgot what it signed': one => one.books('payer', { promised: 5n }),
    'a payer that signs less after a crash': one =>
      one.books('payer', { promised: JOB_EXPOSURE }).pay(one.open(), JOB_EXPOSURE - 1n),
    'a payer that signs less with an old copy': one => {
      one.oracle.setBack('payer')
      one.pay(one.open(), JOB_EXPOSURE - 1n)
    },
    'a voucher of somebody else': one => one.pay(one.open(), JOB_EXPOSURE, { signature: fromHex('00'.repeat(64)) }),
    'more than a window prepaid': one => one.pay(one.open(), DELIVERED + JOB_EXPOSURE + 1n),
    'a chunk that is not paid': one => {
      const stream = one.open()
      one.pay(stream, JOB_EXPOSURE).chunk(stream, 16)
    },
    'an acknowledgement of what nobody signed': one => one.state(JOB_EXPOSURE + 1n, DELIVERED),
    'a crash that costs more than a window': one => {
      one.oracle.jobsAtOnce = 2
      one.pay(one.open(), DELIVERED + 2n * JOB_EXPOSURE)
      one.books('payee', { promised: DELIVERED + 2n * JOB_EXPOSURE, used: DELIVERED })
      one.state(DELIVERED + 2n * JOB_EXPOSURE, DELIVERED + 2n * JOB_EXPOSURE + 1n)
    },
    'a payer that claims to have got more than came': one => one.sync(JOB_EXPOSURE, DELIVERED + 1n),
    'a settlement below what was acknowledged': one =>
      one.oracle.settled({ channel: CHANNEL, openedLt: 7n, deposits: [], settled: DELIVERED, agreed: false }),
    'a settlement above what was signed': one =>
      one.oracle.settled({ channel: CHANNEL, openedLt: 7n, deposits: [], settled: JOB_EXPOSURE + 1n, agreed: false }),
    'a close that nobody agreed to': one =>
      one.oracle.settled({ channel: CHANNEL, openedLt: 7n, deposits: [], settled: DELIVERED, agreed: true })
  }
  for (const [what, act] of Object.entries(broken)) {
    it(`finds ${what}`, () => {
      const one = talk()
      assert.deepEqual(one.oracle.violations, [])
      act(one)
      assert.ok(one.violations > 0)
    })
  }
})
