export { Provider, type ProviderComponents, type ProviderInit } from './provider.ts'
