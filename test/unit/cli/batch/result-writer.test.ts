import assert from 'node:assert/strict'
import { type ResultFile, ResultWriter } from '../../../../src/cli/batch/result-writer.ts'

/** A disk with so many bytes free, that keeps what fits of a write. */
class SmallDisk implements ResultFile {
  content = ''
  synced = ''
  free: number

  constructor(free: number) {
    this.free = free
  }

  appendFile: ResultFile['appendFile'] = async data => {
    const text = (data as Buffer).toString()
    const fits = text.slice(0, this.free)
    // Half of the line first: another write could come between.
    this.content += fits.slice(0, fits.length / 2)
    await new Promise(resolve => setImmediate(resolve))
    this.content += fits.slice(fits.length / 2)
    this.free -= fits.length
    if (fits.length < text.length) {
      throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
    }
  }

  datasync: ResultFile['datasync'] = async () => {
    this.synced = this.content
  }

  truncate: ResultFile['truncate'] = async length => {
    this.content = this.content.slice(0, length)
  }

  close: ResultFile['close'] = async () => undefined
}

describe('results on their way to the disk', () => {
  it('are there, whole and in turn, when they are said to be', async () => {
    const disk = new SmallDisk(1000)
    const writer = new ResultWriter(disk, 'out', 0)
    await Promise.all([writer.append('aaaa\n'), writer.append('bbbb\n')])
    assert.equal(disk.synced, 'aaaa\nbbbb\n')
  })

  it('leave the file as it was when the disk is full', async () => {
    const disk = new SmallDisk(8)
    const writer = new ResultWriter(disk, 'out', 0)
    await writer.append('aaaa\n')
    await assert.rejects(writer.append('bbbb\n'), { code: 'DISK_FULL', errorClass: 'environment' })
    assert.equal(disk.content, 'aaaa\n')
    disk.free = 100
    await writer.append('cccc\n')
    assert.equal(disk.synced, 'aaaa\ncccc\n')
  })

  it('say why they cannot be written otherwise', async () => {
    const disk = new SmallDisk(8)
    disk.datasync = async () => {
      throw Object.assign(new Error('broken'), { code: 'EIO' })
    }
    await assert.rejects(new ResultWriter(disk, 'out', 0).append('a\n'), { code: 'BATCH_OUTPUT_NOT_WRITABLE' })
  })
})
