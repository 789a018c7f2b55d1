export { type EnclaveBundle, enclaveBundle } from './bundle-digest.ts'
export type {
  AttestedStatement,
  AttestInput,
  Enclave,
  EnclaveEvent,
  EnclaveInfo,
  EnclaveJob,
  EnclaveRun
} from './enclave.ts'
export { type SpawnEnclaveInit, spawnEnclave } from './host.ts'
