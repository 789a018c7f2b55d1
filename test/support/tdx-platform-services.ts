import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TdxCollateral } from '../../src/attest/tdx/collateral.ts'

export interface TestAnswer {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  /** Never answered. */
  readonly silent?: boolean
}

/** Answers by path and query; a path alone answers every query of it. */
export type TestAnswers = Readonly<Record<string, TestAnswer>>

/** A vendor's service on this machine, for the suite around it. What it answers may change while it runs. */
export interface TestService {
  readonly url: string
  /** Path and query of every request, in order. */
  readonly requests: string[]
  answers: TestAnswers
}

/** Starts a server before each test of the suite around it, and ends it after. */
export function useTestService(): () => TestService {
  let service: TestService | undefined
  let stop: (() => Promise<void>) | undefined
  beforeEach(async () => {
    const requests: string[] = []
    const made: TestService = { url: '', requests, answers: {} }
    const server = createServer((request, response) => {
      const path = request.url ?? ''
      requests.push(path)
      write(response, made.answers[path] ?? made.answers[path.replace(/\?.*$/, '')] ?? { status: 404 })
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    service = Object.assign(made, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
    stop = () =>
      new Promise(resolve => {
        server.closeAllConnections()
        server.close(() => resolve())
      })
  })
  afterEach(() => stop?.())
  return () => {
    if (service === undefined) {
      throw new Error('The service is there only while a test runs')
    }
    return service
  }
}

/** What Intel's service, or with `hex` a PCCS, answers for this collateral. */
export function pcsAnswers(
  collateral: TdxCollateral,
  { fmspc, ca = 'platform', hex = false }: PcsAnswersInit
): TestAnswers {
  const list = (text: string): string | Uint8Array => (hex ? text : Buffer.from(text, 'hex'))
  const chain = (name: string, pem: string): Record<string, string> => ({ [name]: encodeURIComponent(pem) })
  return {
    [`/tdx/certification/v4/tcb?fmspc=${fmspc.toUpperCase()}`]: {
      headers: chain('TCB-Info-Issuer-Chain', collateral.tcb_info_issuer_chain),
      body: `{"tcbInfo":${collateral.tcb_info},"signature":"${collateral.tcb_info_signature}"}`
    },
    '/tdx/certification/v4/qe/identity': {
      headers: chain('SGX-Enclave-Identity-Issuer-Chain', collateral.qe_identity_issuer_chain),
      body: `{"enclaveIdentity":${collateral.qe_identity},"signature":"${collateral.qe_identity_signature}"}`
    },
    [`/sgx/certification/v4/pckcrl?ca=${ca}&encoding=der`]: {
      headers: chain('SGX-PCK-CRL-Issuer-Chain', collateral.pck_crl_issuer_chain),
      body: list(collateral.pck_crl)
    },
    '/sgx/certification/v4/rootcacrl': { body: list(collateral.root_ca_crl) }
  }
}

interface PcsAnswersInit {
  readonly fmspc: string
  readonly ca?: 'platform' | 'processor'
  readonly hex?: boolean
}

function write(response: ServerResponse, { status = 200, headers = {}, body = '', silent }: TestAnswer): void {
  if (silent !== true) {
    response.writeHead(status, headers).end(body)
  }
}
