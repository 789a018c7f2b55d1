import assert from 'node:assert/strict'
import { type AdvertisedModel, knownModel, matchModel } from '../../../src/cli/model-choice.ts'
import { DEFAULT_MODEL } from '../../../src/core/default-model.ts'

const model = (name: string, fill: number): AdvertisedModel => ({ name, digest: new Uint8Array(32).fill(fill) })

describe('the model a user means', () => {
  it('is the shipped one by its name, whatever strangers advertise', () => {
    assert.deepEqual(knownModel('pocket'), DEFAULT_MODEL)
    assert.deepEqual(knownModel('Pocket'), DEFAULT_MODEL)
  })

  it('is any by its whole digest', () => {
    const digestHex = 'AB'.repeat(32)
    assert.equal(knownModel(digestHex)?.digestHex, digestHex.toLowerCase())
    assert.equal(knownModel('ab'.repeat(31)), undefined)
  })

  it('is the advertised one of that name or beginning of its digest', () => {
    const advertised = [model('Qwen', 0xab), model('Qwen', 0xab), model('Llama', 0xcd)]
    assert.equal(matchModel('qwen', advertised).digestHex, 'ab'.repeat(32))
    assert.equal(matchModel('CDCDCDCD', advertised).digestHex, 'cd'.repeat(32))
  })

  it('is not guessed', () => {
    const advertised = [model('Qwen', 0xab), model('qwen', 0xcd)]
    assert.throws(() => matchModel('qwen', advertised), { code: 'MODEL_AMBIGUOUS' })
    assert.throws(() => matchModel('qwen', advertised), /abababababababab or cdcdcdcdcdcdcdcd/)
    assert.throws(() => matchModel('wen', advertised), { code: 'MODEL_NOT_FOUND' })
    assert.throws(
      () => matchModel('abab', advertised),
      { code: 'MODEL_NOT_FOUND' },
      'a prefix this short may be a name'
    )
  })
})
