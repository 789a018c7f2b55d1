import assert from 'node:assert/strict'
import { DEFAULT_QUESTION, demoQuestion } from '../../../simnet/demo-question.ts'

const CHAT = 'Ana: Are you free on Monday?\nBo: Yes! What time and where?\nAna: Noon, at the park.'

describe('the question of a demo', () => {
  it('is the built-in chat without words', () => {
    assert.equal(demoQuestion([]), DEFAULT_QUESTION)
    assert.equal(demoQuestion(['  ']), DEFAULT_QUESTION)
  })

  it('asks for a summary of a bare chat', () => {
    assert.equal(demoQuestion([CHAT]), `Summarize this chat:\n${CHAT}`)
    assert.equal(
      demoQuestion(['Ana:', 'Has anyone seen my keys?']),
      'Summarize this chat:\nAna: Has anyone seen my keys?'
    )
  })

  it('takes \\n as a line break', () => {
    assert.equal(demoQuestion([CHAT.replaceAll('\n', '\\n')]), `Summarize this chat:\n${CHAT}`)
  })

  for (const task of [
    'Suggest a reply:',
    'Answer from this chat:',
    'Summarize:',
    'summary, please:',
    'What was this chat about?'
  ]) {
    it(`leaves a chat that begins with "${task}" as it is`, () => {
      assert.equal(demoQuestion([`${task}\n${CHAT}`]), `${task}\n${CHAT}`)
    })
  }

  for (const text of [
    'What is Cocoon?',
    'Tell me a story about a fox.',
    'http://example.com is down',
    'Note:nothing',
    `${CHAT}\nand more`
  ]) {
    it(`asks "${text.slice(0, 30)}" as it is`, () => {
      assert.equal(demoQuestion([text]), text)
    })
  }
})
