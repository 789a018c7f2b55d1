import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { silentLogger } from '../../../src/core/logger.ts'
import { VoucherFiles } from '../../../src/node/voucher-files.ts'
import { VoucherFolder, voucherFile } from '../../../src/node/voucher-folder.ts'
import { type WatchEvent, watchVouchers } from '../../../src/node/watch.ts'
import { decodeWatchFile, encodeWatchFile } from '../../../src/payments/watch/watch-file.ts'
import { amount, PaymentPair } from '../../support/payment-pair.ts'
import { useTempFolder } from '../../support/temp-folder.ts'

async function channelWith(pair: PaymentPair, promised: bigint): Promise<string> {
  const channel = await pair.open()
  await pair.payee.accept(await pair.payer.authorize(channel, { cumulative: amount(promised) }))
  return channel
}

describe('vouchers kept for a watcher', () => {
  const folder = useTempFolder()

  it('hold the latest of each channel, are replaced as a whole, and only their owner reads them', async () => {
    const pair = await new PaymentPair().start()
    const channel = await channelWith(pair, 40n)
    const target = join(folder(), 'vouchers')
    const kept = new VoucherFolder(target, pair, silentLogger)
    await kept.write()
    const path = join(target, `${channel.slice(2)}.voucher`)
    assert.equal(decodeWatchFile(await readFile(path, 'utf8')).cumulative, 40n)
    assert.equal((await stat(path)).mode & 0o777, 0o600)
    const { mtimeMs } = await stat(path)
    await kept.write()
    assert.equal((await stat(path)).mtimeMs, mtimeMs)
    await pair.payee.accept(await pair.payer.authorize(channel, { cumulative: amount(70n) }))
    await kept.stop()
    const { signature, ...voucher } = decodeWatchFile(await readFile(path, 'utf8'))
    const held = pair.payee.state(channel).highest
    assert.deepEqual(voucher, { globalId: -217, channel, openedLt: held?.openedLt, cumulative: 70n })
    assert.deepEqual(new Uint8Array(signature), new Uint8Array(held?.signature ?? []))
    assert.deepEqual(await readdir(target), [`${channel.slice(2)}.voucher`])
  })

  it('are not made of channels that owe nothing', async () => {
    const pair = await new PaymentPair().start()
    const channel = await pair.open()
    const target = join(folder(), 'vouchers')
    await new VoucherFolder(target, pair, silentLogger).write()
    await assert.rejects(readdir(target), { code: 'ENOENT' })
    assert.throws(() => voucherFile(pair, channel), { code: 'VOUCHER_MISSING', errorClass: 'money' })
    assert.throws(() => voucherFile(pair, `0:${'00'.repeat(32)}`), { code: 'CHANNEL_UNKNOWN' })
  })
})

describe('voucher files of others', () => {
  const folder = useTempFolder()

  it('are read once, and again when they change, whatever they hold', async () => {
    const pair = await new PaymentPair().start()
    const channel = await channelWith(pair, 40n)
    const good = join(folder(), 'good')
    const paths = {
      good,
      missing: join(folder(), 'missing'),
      large: join(folder(), 'large'),
      sub: join(folder(), 'sub')
    }
    await writeFile(good, voucherFile(pair, channel))
    await mkdir(paths.sub)
    await writeFile(paths.large, 'x'.repeat(100_000))
    const files = new VoucherFiles([...Object.values(paths), good])
    const first = await files.changed()
    assert.deepEqual(
      first.map(({ file, voucher, problem }) => [file, voucher?.cumulative ?? problem?.length !== 0]),
      [
        [good, 40n],
        [paths.missing, true],
        [paths.large, true],
        [paths.sub, true]
      ]
    )
    assert.match(first[1]?.problem ?? '', /ENOENT/)
    assert.match(first[2]?.problem ?? '', /larger than 4096 bytes/)
    assert.match(first[3]?.problem ?? '', /not a regular file/)
    assert.deepEqual(await files.changed(), [])
    await writeFile(paths.missing, 'cocoon-voucher 1\n')
    await writeFile(
      good,
      encodeWatchFile({ ...decodeWatchFile(await readFile(good, 'utf8')), cumulative: amount(70n) })
    )
    const second = await files.changed()
    assert.deepEqual(
      second.map(({ file }) => file),
      [good, paths.missing]
    )
    await rm(good)
    assert.match((await files.changed())[0]?.problem ?? '', /ENOENT/)
    await mkdir(good)
    assert.match((await files.changed())[0]?.problem ?? '', /not a regular file/)
  })

  it('do not stop a watch as long as one is good for its network; each bad one is told', async () => {
    const pair = await new PaymentPair().start()
    const channel = await channelWith(pair, 40n)
    const paths = ['good', 'other', 'bad'].map(name => join(folder(), name))
    const [good = '', other = '', bad = ''] = paths
    const text = voucherFile(pair, channel)
    await writeFile(good, text)
    await writeFile(other, encodeWatchFile({ ...decodeWatchFile(text), globalId: -239 }))
    await writeFile(bad, text.slice(0, 90))
    const events: WatchEvent[] = []
    const init = {
      now: false,
      // Nobody listens there.
      endpointOf: async () => ({ endpoint: 'http://127.0.0.1:9/api/v2/jsonRPC', fallbacks: [] }),
      onEvent: (event: WatchEvent) => void events.push(event)
    }
    const stop = new AbortController()
    const watching = watchVouchers({ ...init, files: paths }, { signal: stop.signal })
    stop.abort()
    await assert.rejects(watching, { code: 'CANCELLED' })
    assert.equal(events.length, 0)
    const ended = await watchVouchers({ ...init, files: paths, now: true })
    assert.deepEqual(
      events.map(event => [event.type, 'file' in event ? event.file : event.channel]),
      [
        ['bad-file', other],
        ['bad-file', bad],
        ['trouble', channel]
      ]
    )
    assert.deepEqual(ended, { claimed: 0n, lost: 0n, failed: 3 })
    await assert.rejects(watchVouchers({ ...init, files: [bad] }), {
      code: 'VOUCHER_FILE_INVALID',
      errorClass: 'usage'
    })
    await assert.rejects(watchVouchers({ ...init, files: [good], network: 'testnet' }), {
      code: 'VOUCHER_FILE_INVALID'
    })
    await assert.rejects(watchVouchers({ ...init, files: [join(folder(), 'none')] }), { code: 'VOUCHER_FILE_INVALID' })
  })
})
