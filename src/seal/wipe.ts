/**
 * Overwrites key material with zeros, once it is no longer needed.
 *
 * What this cannot reach, and no JavaScript can: copies inside `KeyObject`s and OpenSSL contexts (freed, and
 * cleansed by OpenSSL, when V8 collects their handles), buffers that the collector moved, and strings. It shortens
 * how long a key can be found in memory; it does not promise that no trace is left.
 */
export function wipe(...buffers: Uint8Array[]): void {
  for (const buffer of buffers) {
    buffer.fill(0)
  }
}
