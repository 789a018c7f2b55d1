export { EvidenceCompleter } from './evidence/evidence-completer.ts'
export { Provider, type ProviderComponents, type ProviderInit } from './provider.ts'
