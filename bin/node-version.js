// Imported first by every command: a Node.js that is too old gets one clear line instead of a strange failure later.
const REQUIRED = [20, 19]

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < REQUIRED[0] || (major === REQUIRED[0] && minor < REQUIRED[1])) {
  console.error(
    `cocoon-node needs Node.js ${REQUIRED.join('.')} or newer, this is ${process.versions.node}: install one from https://nodejs.org`
  )
  process.exit(3)
}
