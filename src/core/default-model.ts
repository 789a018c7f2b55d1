/**
 * The model that ships in the package (`models/pocket`): what a client asks for unless told otherwise.
 * The digest is the SHA-256 of `pocket.gguf`; a test compares it with the file.
 */
export const DEFAULT_MODEL = {
  name: 'pocket',
  digestHex: '1a722118156a15407587cdada6df2ddac6231a4476f3244556896cc4ef779f40'
} as const
