import { Socket } from 'node:net'
import { systemClock } from '../../src/core/clock.ts'
import { openEvidenceSource } from '../../src/enclave/evidence/source.ts'
import { FramedPipe } from '../../src/enclave/framed-pipe.ts'
import { EnclaveProgram } from '../../src/enclave/program.ts'
import { type Engine, type GenerateRequest, openLlamaEngine } from '../../src/inference/index.ts'
import { EnclaveReply } from '../../src/wire/generated/enclave.ts'

export interface Leak {
  /** Sees the opened question, which must never leave the enclave. */
  onQuestion?(text: string): void
  /** Sends the answer's own text in place of a sealed frame, once there are 20 characters of it. */
  unsealed?: boolean
  /** What the host is told as the reason for the answer's end, which goes nowhere else. */
  finishReason?(question: string): string
}

/**
 * An enclave program that breaks its promise on purpose: the real one with a hole, so that the confidentiality test
 * can be seen to fail.
 */
export function startLeakyProgram(leak: Leak): void {
  let text = ''
  let question = ''
  const program = new EnclaveProgram(
    {
      clock: systemClock,
      openEngine: async init => spied(await openLlamaEngine(init), asked, whole => (text = whole)),
      openEvidence: openEvidenceSource,
      send: bytes => {
        const reply = EnclaveReply.decode(bytes)
        if (leak.unsealed === true && reply.chunk !== undefined && text.length >= 20) {
          const sealed = Uint8Array.from(Buffer.from(text))
          return pipe.send(EnclaveReply.encode({ ...reply, chunk: { ...reply.chunk, sealed } }))
        }
        if (leak.finishReason !== undefined && reply.ended !== undefined) {
          const ended = { ...reply.ended, finishReason: leak.finishReason(question) }
          return pipe.send(EnclaveReply.encode({ ...reply, ended }))
        }
        return pipe.send(bytes)
      }
    },
    { software: { version: '0.0.0-leaky', bundleDigest: new Uint8Array(32) } }
  )
  const asked = (content: string): void => {
    question = content
    leak.onQuestion?.(content)
  }
  const pipe = new FramedPipe(new Socket({ fd: 3 }), {
    onMessage: message => program.handle(message),
    onEnd: () => process.kill(process.pid, 'SIGKILL')
  })
}

function spied(engine: Engine, onQuestion: (text: string) => void, onText: (whole: string) => void): Engine {
  return {
    model: engine.model,
    backend: engine.backend,
    devices: engine.devices,
    threads: engine.threads,
    slots: engine.slots,
    close: () => engine.close(),
    async *generate(request: GenerateRequest, options) {
      for (const { content } of request.messages) {
        onQuestion(content)
      }
      let whole = ''
      for await (const event of engine.generate(request, options)) {
        if (event.type === 'text') {
          whole += event.text
          onText(whole)
        }
        yield event
      }
    }
  }
}
