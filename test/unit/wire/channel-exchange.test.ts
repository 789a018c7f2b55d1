import assert from 'node:assert/strict'
import fc from 'fast-check'
import { nanoTon } from '../../../src/core/nano-ton.ts'
import {
  type ChannelReplyMessage,
  type ChannelRequestMessage,
  decodeChannelReply,
  decodeChannelRequest,
  encodeChannelReply,
  encodeChannelRequest
} from '../../../src/wire/channel-exchange.ts'
import { ChannelReply, ChannelRequest } from '../../../src/wire/generated/channel.ts'
import { LIMITS } from '../../../src/wire/limits.ts'
import * as any from './samples.ts'

const signature = fc.oneof(any.bytes(64), any.bytes(0))
const request: fc.Arbitrary<ChannelRequestMessage> = fc.oneof(
  fc.record({ type: fc.constant('close' as const), channel: any.address }, any.plain),
  fc.record(
    {
      type: fc.constant('sync' as const),
      channel: any.address,
      openedLt: any.uint64,
      cumulative: any.coins,
      signature,
      spent: any.coins
    },
    any.plain
  )
)
const common = { channel: any.address, openedLt: any.uint64, cumulative: any.coins }
const reply: fc.Arbitrary<ChannelReplyMessage> = fc.oneof(
  fc.record(
    {
      type: fc.constant('state' as const),
      ...common,
      signature,
      delivered: any.coins,
      deposit: any.coins,
      settled: any.coins,
      closing: fc.boolean()
    },
    any.plain
  ),
  fc.record(
    {
      type: fc.constant('closed' as const),
      ...common,
      validUntil: fc.nat(),
      payeeSignature: any.bytes(64)
    },
    any.plain
  ),
  fc.record({ type: fc.constant('refused' as const), code: any.code, message: any.words(300) }, any.plain)
)

const channel = `0:${'ab'.repeat(32)}`

describe('channel exchange', () => {
  it('carries every valid message through', () => {
    any.carriesThrough(request, encodeChannelRequest, decodeChannelRequest)
    any.carriesThrough(reply, encodeChannelReply, decodeChannelReply)
  })

  it('answers any bytes with a message or one of its two errors', () => {
    any.refusesDamage(request, encodeChannelRequest, decodeChannelRequest)
    any.refusesDamage(reply, encodeChannelReply, decodeChannelReply)
  })

  it('refuses messages over the limit by their size alone', () => {
    any.refusesOversize(LIMITS.channelFrameBytes, decodeChannelRequest)
    any.refusesOversize(LIMITS.channelFrameBytes, decodeChannelReply)
  })

  it('refuses a request of no kind, or for something that is no raw address', () => {
    assert.throws(() => decodeChannelRequest(ChannelRequest.encode({})), any.MALFORMED)
    for (const bad of ['', '0:ab', `1234:${'ab'.repeat(32)}`, `0:${'AB'.repeat(32)}`, `${channel}\n`]) {
      assert.throws(
        () => decodeChannelRequest(encodeChannelRequest({ type: 'sync', channel: bad })),
        any.MALFORMED,
        bad
      )
    }
  })

  it('takes a request of a client that holds nothing, and refuses a signature or an amount of the wrong shape', () => {
    assert.deepEqual(decodeChannelRequest(encodeChannelRequest({ type: 'sync', channel })), {
      type: 'sync',
      channel,
      openedLt: 0n,
      cumulative: 0n,
      signature: new Uint8Array(),
      spent: 0n
    })
    const held = {
      channel,
      openedLt: 1n,
      cumulative: Uint8Array.of(1),
      signature: new Uint8Array(64),
      spent: Uint8Array.of(1)
    }
    for (const bad of [
      { signature: new Uint8Array(63) },
      { cumulative: Uint8Array.of(0) },
      { cumulative: new Uint8Array(16).fill(1) },
      { spent: Uint8Array.of(0, 1) }
    ]) {
      assert.throws(() => decodeChannelRequest(ChannelRequest.encode({ sync: { ...held, ...bad } })), any.MALFORMED)
    }
  })

  it('refuses a reply with a field of the wrong shape', () => {
    const amounts = { openedLt: 1n, cumulative: nanoTon(1n), delivered: nanoTon(1n) }
    const seen = { deposit: nanoTon(5n), settled: nanoTon(0n), closing: false }
    const state = { type: 'state', channel, ...amounts, ...seen, signature: new Uint8Array(64) } as const
    const closed = {
      type: 'closed',
      channel,
      ...amounts,
      validUntil: 1_800_003_600,
      payeeSignature: new Uint8Array(64)
    } as const
    const bad: ChannelReplyMessage[] = [
      { ...state, channel: 'EQ' },
      { ...state, signature: new Uint8Array(63) },
      { ...closed, channel: '' },
      { ...closed, payeeSignature: new Uint8Array() },
      { type: 'refused', code: 'lower', message: '' }
    ]
    for (const message of bad) {
      assert.throws(() => decodeChannelReply(encodeChannelReply(message)), any.MALFORMED)
    }
    assert.throws(() => decodeChannelReply(ChannelReply.encode({})), any.MALFORMED)
    const words = 'x'.repeat(LIMITS.refusalText + 1)
    assert.throws(
      () => decodeChannelReply(ChannelReply.encode({ refused: { code: 'A', message: words } })),
      any.MALFORMED
    )
  })

  it('cuts the words of a refusal to what the other side accepts', () => {
    const sent = encodeChannelReply({ type: 'refused', code: 'A', message: 'x'.repeat(1_000) })
    assert.deepEqual(decodeChannelReply(sent), { type: 'refused', code: 'A', message: 'x'.repeat(LIMITS.refusalText) })
  })
})
