export { attestationPolicyJsonSchema, type PolicySettings, parseAttestationPolicy } from './attestation-policy.ts'
export { loadConfig, writeConfig } from './config-file.ts'
export { createHome, type HomeFolder, homeFolder, openHome, type ResolveHomeInit, resolveHome } from './home.ts'
export { type HomeLock, lockHome } from './home-lock.ts'
export { DEFAULT_SCRYPT_COST, type ScryptCost } from './key-cipher.ts'
export {
  type CreateKeyOptions,
  corruptKey,
  createKeyFile,
  keyPath,
  type ReadKeyOptions,
  readKeyFile,
  readKeySecret
} from './key-file.ts'
export { KEY_KINDS, type KeyKind, type KeySecret, SEED_BYTES } from './key-record.ts'
export { parseConfig } from './parse.ts'
export type { Config, ConfigFile, Network } from './schema.ts'
