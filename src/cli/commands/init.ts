import type { Command } from 'commander'
import { UsageError } from '../../core/errors.ts'
import type { CommandContext } from '../context.ts'
import { holdsNode, namedHome } from '../home.ts'
import { newCommand } from '../new-command.ts'
import type { CreateHomeInit } from '../node-port.ts'
import { each, httpUrl, oneOf } from '../option-values.ts'
import { newPassphrase, passphraseFromEnvironment } from '../prompt-passphrase.ts'
import { readWords } from '../read-words.ts'
import { readSimnetFile } from '../simnet-file.ts'
import { checkAddresses } from '../tcp-address.ts'

interface InitOptions {
  network: CreateHomeInit['network']
  chain?: string
  bootstrap?: string[]
  passphrase?: boolean
  mnemonic?: boolean
}

/** `cocoon-node init` */
export function initCommand(context: CommandContext): Command {
  return newCommand('init', {
    summary: 'Make a node: home folder, keys and wallet',
    description:
      'Makes the home folder with new keys and prints the peer id and the address of the wallet. Its key is made of 24 words\n' +
      'that "cocoon-node wallet export" shows: with them the wallet can be opened again.\n' +
      'A folder that holds a node already is never touched.',
    examples: [
      ['cocoon-node init', 'a testnet node in ~/.cocoon'],
      ['cocoon-node init --network mainnet --passphrase', 'keys encrypted with a passphrase'],
      ['cocoon-node init --mnemonic', 'with the wallet of 24 words that you have; asks for them'],
      ['cocoon-node init --home ./me --network simnet', 'a member of the running local simnet']
    ]
  })
    .option(
      '--network <name>',
      'simnet, testnet or mainnet',
      oneOf('--network', ['simnet', 'testnet', 'mainnet']),
      'testnet'
    )
    .option('--chain <url>', "toncenter v2 API (default: toncenter.com, or the local simnet's)", httpUrl('--chain'))
    .option(
      '--bootstrap <address>',
      'peer to start from, with /p2p/<peer id>; may be repeated',
      each(text => text)
    )
    .option('--passphrase', 'encrypt the keys; asks for it, or takes $COCOON_PASSPHRASE')
    .option('--mnemonic', 'the wallet of 24 words that you have; asks for them, or takes them from a pipe')
    .action((options: InitOptions) => init(context, options))
}

async function init(context: CommandContext, options: InitOptions): Promise<void> {
  const { io, output } = context
  const home = namedHome({ option: context.homeOption, io }).path
  if (await holdsNode(home)) {
    throw new UsageError('HOME_EXISTS', `${home} holds a node already: use it, or name another folder with --home`)
  }
  const network = await networkSettings(context, options)
  const mnemonic = options.mnemonic === true ? await readWords(io, context.signal) : undefined
  const passphrase = options.passphrase === true ? await newPassphrase(io) : passphraseFromEnvironment(io)
  const { createHome } = await context.loadNode()
  const { peerId, walletAddress, friendlyAddress } = await createHome({
    home,
    ...network,
    ...(passphrase === undefined ? {} : { passphrase }),
    ...(mnemonic === undefined ? {} : { mnemonic })
  })
  const encrypted = passphrase !== undefined
  output.result({ home, network: options.network, peerId, walletAddress, friendlyAddress, encrypted }, () =>
    [
      `home    ${home}`,
      `network ${options.network}`,
      `peer    ${peerId}`,
      `wallet  ${walletAddress}`,
      `        ${friendlyAddress}`
    ].join('\n')
  )
  output.note(
    encrypted
      ? 'The keys are encrypted with your passphrase.'
      : 'The keys are not encrypted: only file rights protect them.'
  )
  if (mnemonic === undefined) {
    output.note(
      'Write down the 24 words of the wallet: "cocoon-node wallet export" shows them. Nothing else brings it back.'
    )
  }
  output.note('Next: send some coins to the wallet, then "cocoon-node ask" to ask or "cocoon-node provide" to earn.')
}

/** On a simnet, what was not named comes from the one that runs here. */
async function networkSettings(
  { io }: CommandContext,
  { network, chain, bootstrap }: InitOptions
): Promise<Pick<CreateHomeInit, 'network' | 'chainEndpoint' | 'bootstrap'>> {
  await checkAddresses('--bootstrap', 'peerAddress', bootstrap ?? [])
  const simnet = network === 'simnet' && chain === undefined ? await readSimnetFile(io) : undefined
  if (network === 'simnet' && chain === undefined && simnet?.running !== true) {
    throw new UsageError(
      'CHAIN_URL_MISSING',
      'No simnet runs on this machine: start one with "cocoon-node simnet up", or name the URL of its chain with --chain'
    )
  }
  const chainEndpoint = chain ?? simnet?.chainEndpoint
  const peers = bootstrap ?? simnet?.bootstrap
  return {
    network,
    ...(chainEndpoint === undefined ? {} : { chainEndpoint }),
    ...(peers === undefined ? {} : { bootstrap: peers })
  }
}
