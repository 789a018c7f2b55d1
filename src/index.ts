/** The library API: `createNode()` and what it is made of. */
export type { AnswerEvent, AskRequest, ClosedChannel } from './client/index.ts'
export { CocoonError, type ErrorClass, EXIT_CODES } from './core/errors.ts'
export { formatTon, type NanoTon, nanoTon, parseTon } from './core/nano-ton.ts'
export * from './node/index.ts'
