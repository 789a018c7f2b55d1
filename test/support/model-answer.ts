import { defaultModelPath, openLlamaEngine } from '../../src/inference/index.ts'

/** What the shipped model answers when nothing is left to chance, always the same. */
export async function modelAnswer(content: string, maxTokens: number, gpu: 'auto' | 'off' = 'auto'): Promise<string> {
  const engine = await openLlamaEngine({ modelPath: defaultModelPath(), threads: 1, slots: 1, gpu })
  try {
    let text = ''
    const request = { messages: [{ role: 'user' as const, content }], maxTokens, temperature: 0 }
    for await (const event of engine.generate(request)) {
      text += event.type === 'text' ? event.text : ''
    }
    return text
  } finally {
    await engine.close()
  }
}
