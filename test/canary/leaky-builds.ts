import type { CanaryInit } from './canary-run.ts'

/** A build that leaks on purpose, and where the search has to find what it leaks. */
export interface LeakyBuild {
  name: string
  init: CanaryInit
  secret: RegExp
  form: RegExp
  where: RegExp
}

export const LEAKY_BUILDS: readonly LeakyBuild[] = [
  {
    name: 'disk: the question in a file',
    init: { leaky: 'leaky-disk-main.js' },
    secret: /^prompt/,
    form: /^plain$/,
    where: /debug\.log$/
  },
  {
    name: 'log: the question on the console, and a host that logs it',
    init: { leaky: 'leaky-log-main.js', logsStderr: true },
    secret: /^prompt/,
    form: /^plain$/,
    where: /logs\/enclave\.log$/
  },
  {
    name: 'error path: the question in an error',
    init: { leaky: 'leaky-error-main.js' },
    secret: /^prompt/,
    form: /^plain$/,
    where: /^memory /
  },
  {
    name: 'error path: the question in an error that reaches the network',
    init: { leaky: 'leaky-error-main.js' },
    secret: /^prompt/,
    form: /^plain$/,
    where: /^stream in \/cocoon\/job\//
  },
  {
    name: 'pipe: the question as base64 in a field of a message',
    init: { leaky: 'leaky-pipe-main.js' },
    secret: /^prompt/,
    form: /^base64/,
    where: /enclave-pipe-in$/
  },
  {
    name: 'pipe: ten bytes of the question in hex, left in the memory of the host',
    init: { leaky: 'leaky-part-main.js' },
    secret: /^prompt/,
    form: /^hex$/,
    where: /^memory /
  },
  {
    name: 'pipe: the response key in base64',
    init: { leaky: 'leaky-key-main.js' },
    secret: /^response key/,
    form: /^base64/,
    where: /enclave-pipe-in$/
  },
  {
    name: 'network: the answer in place of a sealed frame',
    init: { leaky: 'leaky-frames-main.js', foretold: true },
    secret: /^answer/,
    form: /^plain$/,
    where: /^stream in \/cocoon\/job\//
  }
]
