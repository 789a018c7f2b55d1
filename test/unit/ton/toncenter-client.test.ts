import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { askToncenter, type ToncenterRequest } from '../../../src/ton/toncenter-client.ts'
import { AbsurdAnswer, ToncenterFailure } from '../../../src/ton/toncenter-failure.ts'

const KEY = 'the-key-that-nobody-may-see'
const PATH = '/f2a2411bce1e54a2658f2710cd7969c3/api/v2/jsonRPC'

describe('askToncenter', () => {
  let server: Server
  let answer: (request: IncomingMessage, response: ServerResponse, body: string) => void
  let request: ToncenterRequest

  before(async () => {
    server = createServer((incoming, response) => {
      const parts: Buffer[] = []
      incoming.on('data', (part: Buffer) => parts.push(part))
      incoming.on('end', () => answer(incoming, response, Buffer.concat(parts).toString()))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  })

  after(() => {
    server.closeAllConnections()
    server.close()
  })

  beforeEach(() => {
    const { port } = server.address() as AddressInfo
    request = {
      url: `http://127.0.0.1:${port}${PATH}`,
      apiKey: KEY,
      method: 'getMasterchainInfo',
      params: {},
      timeoutMs: 15_000,
      maxBytes: 1_000
    }
    answer = (_, response) => response.end('{"ok":true,"result":7}')
  })

  function reply(status: number, body: string, headers: Record<string, string> = {}): void {
    answer = (_, response) => response.writeHead(status, headers).end(body)
  }

  async function failure(change: Partial<ToncenterRequest> = {}): Promise<ToncenterFailure> {
    try {
      await askToncenter({ ...request, ...change })
    } catch (err) {
      assert.ok(err instanceof ToncenterFailure, String(err))
      assert.doesNotMatch(err.message, /nobody-may-see|f2a2411bce1e|\n/)
      return err
    }
    return assert.fail('no failure')
  }

  it('sends method, parameters and key, and hands on the result', async () => {
    let seen: unknown
    answer = ({ headers, method, url }, response, body) => {
      seen = {
        key: headers['x-api-key'],
        type: headers['content-type'],
        method,
        url,
        body: JSON.parse(body) as unknown
      }
      response.end('{"ok":true,"result":{"a":[1]}}')
    }
    assert.deepEqual(await askToncenter({ ...request, params: { address: 'x' } }), { a: [1] })
    assert.deepEqual(seen, {
      key: KEY,
      type: 'application/json',
      method: 'POST',
      url: PATH,
      body: { id: '1', jsonrpc: '2.0', method: 'getMasterchainInfo', params: { address: 'x' } }
    })
  })

  it("tells the status and the server's words, on one printable line without key or path", async () => {
    reply(500, JSON.stringify({ ok: false, error: `bad\n\u0007 ${KEY} at ${PATH} ${'x'.repeat(500)}`, code: 500 }))
    const err = await failure()
    assert.equal(err.status, 500)
    assert.match(err.message, /^HTTP 500, bad  … at \/…\/api\/v2\/jsonRPC x+$/)
    assert.ok(err.message.length < 200)
    reply(502, '<html>bad gateway</html>')
    assert.equal((await failure()).message, 'HTTP 502')
  })

  it('tells how long a server that is asked too often wants to be left alone', async () => {
    reply(429, '{"ok":false,"result":"Ratelimit exceed","code":429}', { 'retry-after': '7' })
    const err = await failure()
    assert.deepEqual([err.status, err.retryAfterMs, err.message], [429, 7_000, 'HTTP 429, Ratelimit exceed'])
    reply(429, '', { 'retry-after': 'Wed, 21 Oct 2026 07:28:00 GMT' })
    assert.equal((await failure()).retryAfterMs, undefined)
  })

  it('takes nothing for a result that is none', async () => {
    for (const body of ['', 'null', '7', '<html></html>', '{"result":7}', '{"ok":"true","result":7}', '{"ok":false}']) {
      reply(200, body)
      assert.equal((await failure()).status, 200, body)
    }
  })

  it('does not read more than the limit, compressed or not', async () => {
    const long = JSON.stringify({ ok: true, result: 'x'.repeat(5_000_000) })
    reply(200, long)
    await assert.rejects(askToncenter(request), AbsurdAnswer)
    answer = (_, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(long))
    await assert.rejects(askToncenter(request), AbsurdAnswer)
    assert.equal(typeof (await askToncenter({ ...request, maxBytes: 6_000_000 })), 'string')
    reply(500, long)
    assert.equal((await failure()).message, 'HTTP 500')
  })

  it('does not carry the key to where a server sends it', async () => {
    let carried = 0
    answer = (incoming, response) => {
      carried += incoming.url === '/elsewhere' ? 1 : 0
      response.writeHead(307, { location: '/elsewhere' }).end()
    }
    await failure()
    assert.equal(carried, 0)
  })

  it('gives up after its time, in the middle of an answer too', async () => {
    answer = () => undefined
    assert.match((await failure({ timeoutMs: 40 })).message, /no answer within 0.04 s/)
    answer = (_, response) => void response.write('{"ok":')
    assert.match((await failure({ timeoutMs: 40 })).message, /no answer within/)
  })

  it('is cancelled at once, and before it sends anything', async () => {
    answer = () => undefined
    const controller = new AbortController()
    const waiting = askToncenter(request, { signal: controller.signal })
    setImmediate(() => controller.abort())
    await assert.rejects(waiting, { code: 'CANCELLED' })
    let asked = 0
    answer = () => void asked++
    await assert.rejects(askToncenter(request, { signal: controller.signal }), { code: 'CANCELLED' })
    assert.equal(asked, 0)
  })

  it('knows that nothing was sent only where nobody was reached', async () => {
    const probe = createServer().listen(0, '127.0.0.1')
    await once(probe, 'listening')
    const { port } = probe.address() as AddressInfo
    probe.close()
    await once(probe, 'close')
    const refused = await failure({ url: `http://127.0.0.1:${port}/` })
    assert.deepEqual([refused.notSent, refused.message], [true, 'ECONNREFUSED'])
    answer = incoming => incoming.socket.destroy()
    const reset = await failure()
    assert.deepEqual([reset.notSent, reset.message.includes('no answer')], [false, false])
    answer = () => undefined
    assert.equal((await failure({ timeoutMs: 40 })).notSent, false)
  })
})
