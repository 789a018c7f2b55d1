import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { beginCell, external } from '@ton/core'
import type { BlockchainSnapshot, SendMessageResult } from '@ton/sandbox'
import { storeClaim, storeCoopClose, storeFinish, storeFund, storeStartClose } from '../../src/ton/channel-contract.ts'
import { CHALLENGE_SECONDS, ChannelFixture, exitCode, gasUsed, ton, transactionOn } from './channel-fixture.ts'
import { findUp } from './find-up.ts'

/** Most gas each kind of message may use, from the targets and the README's table. */
const TARGETS: Readonly<Record<string, bigint>> = {
  open: 5_500n,
  'top-up': 5_500n,
  'claim by the payee': 5_200n,
  'claim by another': 6_000n,
  'external claim': 5_200n,
  'start close': 4_400n,
  'finish by the payer': 4_000n,
  'finish by another': 5_400n,
  'coop close by the payer': 6_500n,
  'coop close by the payee': 6_500n,
  'coop close by the payer, paying the rest': 6_500n,
  'coop close by another': 6_500n
}

const BOUND_OF: Readonly<Record<string, string>> = {
  open: 'GAS_FUND',
  'top-up': 'GAS_FUND',
  claim: 'GAS_CLAIM',
  external: 'GAS_EXTERNAL_CLAIM',
  start: 'GAS_START_CLOSE',
  finish: 'GAS_FINISH',
  coop: 'GAS_COOP_CLOSE'
}

describe('channel gas and size', () => {
  const used = new Map<string, bigint>()
  let f: ChannelFixture

  before(async () => {
    f = await ChannelFixture.create()
    measure('open', await f.send(f.payer, storeFund(ton('1')), ton('1.05'), true))
    measure('top-up', await f.send(f.payer, storeFund(ton('1')), ton('1.05')))
    measure('claim by the payee', await f.send(f.payee, storeClaim(await f.voucher(ton('0.1'))), ton('0.05')))
    measure('claim by another', await f.send(f.stranger, storeClaim(await f.voucher(ton('0.2'))), ton('0.05')))
    const body = beginCell()
      .store(storeClaim(await f.voucher(ton('0.3'))))
      .endCell()
    measure('external claim', await f.chain.sendMessage(external({ to: f.address, body })))
    measure('start close', await f.send(f.payer, storeStartClose(), ton('0.05')))
    const closing = f.chain.snapshot()
    const statement = await f.statement(ton('0.3'))
    const higher = await f.statement(ton('0.4'))
    f.chain.now = (f.chain.now ?? 0) + CHALLENGE_SECONDS
    const later = f.chain.snapshot()
    measure('finish by the payer', await f.send(f.payer, storeFinish(), ton('0.05')))
    await f.chain.loadFrom(later)
    measure('finish by another', await f.send(f.stranger, storeFinish(), ton('0.05')))
    await measureFrom(closing, 'coop close by the payer', async () =>
      f.send(f.payer, storeCoopClose(statement), ton('0.05'))
    )
    await measureFrom(closing, 'coop close by the payee', async () =>
      f.send(f.payee, storeCoopClose(statement), ton('0.05'))
    )
    await measureFrom(closing, 'coop close by the payer, paying the rest', async () =>
      f.send(f.payer, storeCoopClose(higher), ton('0.05'))
    )
    await measureFrom(closing, 'coop close by another', async () =>
      f.send(f.stranger, storeCoopClose(statement), ton('0.05'))
    )
  })

  function measure(name: string, result: SendMessageResult): void {
    const tx = transactionOn(result, f.address)
    assert.equal(exitCode(tx), 0, name)
    used.set(name, gasUsed(tx))
  }

  async function measureFrom(
    snapshot: BlockchainSnapshot,
    name: string,
    act: () => Promise<SendMessageResult>
  ): Promise<void> {
    await f.chain.loadFrom(snapshot)
    measure(name, await act())
  }

  it('keeps every message within its target', () => {
    assert.deepEqual([...used.keys()].toSorted(), Object.keys(TARGETS).toSorted())
    for (const [name, gas] of used) {
      assert.ok(gas <= (TARGETS[name] ?? 0n), `${name}: ${gas} gas, at most ${TARGETS[name]}`)
    }
  })

  it('keeps every message below the bound that the contract charges for', () => {
    for (const [name, gas] of used) {
      const bound = contractConstant(BOUND_OF[name.split(' ')[0] ?? ''] ?? '')
      assert.ok(gas <= bound, `${name}: ${gas} gas, the contract allows for ${bound}`)
    }
  })

  it('keeps the account below the size that its storage reserve pays for', async () => {
    const big = await ChannelFixture.create()
    await big.send(big.payer, storeFund(ton('900000')), ton('900001'), true)
    const size = (await big.chain.getContract(big.address)).account.account?.storageStats.used
    assert.ok(size !== undefined && size.bits > 0n)
    assert.ok(size.bits <= contractConstant('ACCOUNT_BITS'), `${size.bits} bits`)
    assert.ok(size.cells <= contractConstant('ACCOUNT_CELLS'), `${size.cells} cells`)
  })
})

function contractConstant(name: string): bigint {
  const match = new RegExp(`^const ${name} = (\\d+)$`, 'm').exec(readFileSync(findUp('contracts/channel.tolk'), 'utf8'))
  return BigInt(match?.[1] ?? assert.fail(`no constant ${name}`))
}
