import assert from 'node:assert/strict'
import { silentLogger } from '../../../src/core/logger.ts'
import { ChannelService } from '../../../src/provider/channel-service.ts'
import {
  type ChannelReplyMessage,
  type ChannelRequestInit,
  decodeChannelReply,
  encodeChannelRequest
} from '../../../src/wire/channel-exchange.ts'
import { amount, CLIENT_PEER, NO_USAGE, PaymentPair } from '../../support/payment-pair.ts'
import { streamPair } from '../../support/stream-pair.ts'

class Exchange extends PaymentPair {
  async ask(request: ChannelRequestInit | Uint8Array, peerId = CLIENT_PEER): Promise<ChannelReplyMessage> {
    const [client, provider] = streamPair()
    await client.write(request instanceof Uint8Array ? request : encodeChannelRequest(request))
    const service = new ChannelService({ logger: silentLogger, payee: this.payee })
    await service.serve(provider, peerId, new AbortController().signal)
    const reply = await client.read()
    assert.ok(reply)
    assert.equal(await client.read(), undefined)
    return decodeChannelReply(reply)
  }

  /** A channel over which a job of 30 nanotons was delivered and 40 were signed. */
  async used(): Promise<string> {
    const channel = await this.open()
    const { paying, served } = await this.startJobs(channel, 'aa', amount(40))
    served.charge(amount(30))
    await served.end(amount(30))
    await paying.end({ cost: amount(30), usage: NO_USAGE, confirmed: true })
    return channel
  }
}

describe('channel service', () => {
  it('tells a client what is held of its channel, with its own signature', async () => {
    const pair = new Exchange()
    await pair.start()
    const channel = await pair.used()
    const state = await pair.ask({ type: 'sync', channel })
    assert.ok(state.type === 'state')
    assert.deepEqual(
      { cumulative: state.cumulative, delivered: state.delivered, openedLt: state.openedLt },
      { cumulative: 40n, delivered: 30n, openedLt: pair.info(channel).openedLt }
    )
    // A payer that lost its disk can go on from this.
    await pair.payer.adopt(state)
  })

  it('agrees to close at what was delivered', async () => {
    const pair = new Exchange()
    await pair.start()
    const channel = await pair.used()
    const closed = await pair.ask({ type: 'close', channel })
    assert.ok(closed.type === 'closed')
    assert.equal(closed.cumulative, 30n)
    await pair.payer.close(channel, closed)
    assert.equal(pair.chain.count('coopClose'), 1)
  })

  it('answers a stranger as if it did not know the channel, word for word', async () => {
    const pair = new Exchange()
    await pair.start()
    const channel = await pair.used()
    const unknown = `0:${'99'.repeat(32)}`
    for (const type of ['sync', 'close'] as const) {
      const asked = await pair.ask({ type, channel }, 'stranger')
      const other = await pair.ask({ type, channel: unknown }, 'stranger')
      assert.ok(asked.type === 'refused' && other.type === 'refused')
      assert.equal(asked.code, 'CHANNEL_UNKNOWN')
      assert.deepEqual(asked, { ...other, message: other.message.replace(unknown, channel) })
    }
    assert.equal(pair.chain.count('claim'), 0)
  })

  it('says why it refuses, and what was malformed', async () => {
    const pair = new Exchange()
    await pair.start()
    const channel = await pair.open()
    await pair.startJobs(channel, 'aa', amount(40))
    const busy = await pair.ask({ type: 'close', channel })
    assert.ok(busy.type === 'refused' && busy.code === 'CHANNEL_BUSY')
    const bad = await pair.ask(Uint8Array.of(255))
    assert.ok(bad.type === 'refused' && bad.code === 'MESSAGE_MALFORMED')
  })

  it('keeps its own troubles to itself', async () => {
    const pair = new Exchange()
    await pair.start()
    const channel = await pair.used()
    pair.payeeDisk.before = () => {
      throw new Error('disk /home/me is full')
    }
    const reply = await pair.ask({ type: 'close', channel })
    assert.ok(reply.type === 'refused')
    assert.equal(reply.code, 'PROVIDER_FAILED')
    assert.ok(!reply.message.includes('disk'))
  })

  it('does nothing for a stream that ends at once', async () => {
    const pair = new Exchange()
    await pair.start()
    const [client, provider] = streamPair()
    await client.close()
    await new ChannelService({ logger: silentLogger, payee: pair.payee }).serve(
      provider,
      CLIENT_PEER,
      new AbortController().signal
    )
    await provider.close()
    assert.equal(await client.read(), undefined)
  })
})
