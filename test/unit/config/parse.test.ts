import assert from 'node:assert/strict'
import fc from 'fast-check'
import { parseConfig } from '../../../src/config/index.ts'
import { errorMessage, UsageError } from '../../../src/core/errors.ts'

const SIMNET = { network: 'simnet', chain: { endpoint: 'http://127.0.0.1:8081/api/v2/jsonRPC' } }

function refusal(value: unknown): UsageError {
  try {
    parseConfig(value, 'config.json')
  } catch (err) {
    assert.ok(err instanceof UsageError, `not a UsageError: ${errorMessage(err)}`)
    assert.doesNotMatch(err.message, /\n/)
    return err
  }
  return assert.fail('accepted')
}

describe('parseConfig', () => {
  it('fills in every default from the network alone', () => {
    const config = parseConfig({ network: 'testnet' })
    assert.deepEqual(config, {
      network: 'testnet',
      logLevel: 'info',
      mesh: { listen: ['/ip4/0.0.0.0/tcp/0'], bootstrap: [], mdns: true },
      chain: { endpoint: 'https://testnet.toncenter.com/api/v2/jsonRPC', fallbacks: [] },
      provider: {
        threads: 'auto',
        slots: 1,
        gpu: 'auto',
        prices: {
          promptPerMTokens: 20_000_000n,
          cachedPromptPerMTokens: 5_000_000n,
          completionPerMTokens: 60_000_000n
        },
        minimumDeposit: 100_000_000n,
        windowTokens: 32,
        blindExposure: 50_000_000n,
        evidence: 'auto'
      },
      client: {
        deposit: 500_000_000n,
        maxDeposit: 5_000_000_000n,
        maxDepositPerDay: 20_000_000_000n,
        topUpBelowPercent: 25,
        maxJobCost: 1_000_000_000n,
        maxSpendPerDay: 10_000_000_000n,
        maxWindowTokens: 32,
        maxPrices: { promptPerMTokens: 200_000_000n, completionPerMTokens: 600_000_000n },
        challengeSeconds: 21_600,
        candidates: 2,
        suite: 'x25519',
        privacy: 'standard',
        allowSimulated: false
      },
      channels: {
        claimAbove: 1_000_000_000n,
        claimAfterHours: 24,
        maxFeePercent: 5,
        closeIdleHours: 168,
        forceCloseAfterHours: 72
      }
    })
  })

  it('trusts simulated enclaves by default on a simnet only', () => {
    assert.equal(parseConfig(SIMNET).client.allowSimulated, true)
    assert.equal(parseConfig({ ...SIMNET, client: { allowSimulated: false } }).client.allowSimulated, false)
    assert.equal(parseConfig({ network: 'mainnet' }).client.allowSimulated, false)
    assert.equal(parseConfig({ network: 'testnet', client: { allowSimulated: true } }).client.allowSimulated, true)
  })

  it('has no default for the network and for the chain of a simnet', () => {
    assert.equal(refusal({}).details['path'], 'network')
    assert.equal(refusal({ network: 'simnet' }).details['path'], 'chain.endpoint')
  })

  it('names an unknown key at every level, before other mistakes', () => {
    const cases: Array<[unknown, string]> = [
      [{ ...SIMNET, colour: 'red' }, 'colour'],
      [{ netwrk: 'simnet' }, 'netwrk'],
      [{ ...SIMNET, mesh: { mdsn: true, listen: 5 } }, 'mesh.mdsn'],
      [{ ...SIMNET, provider: { prices: { prompt: '1' } } }, 'provider.prices.prompt'],
      [{ ...SIMNET, client: { maxPrices: { cached: '1' } } }, 'client.maxPrices.cached'],
      [{ network: 'testnet', chain: { fallbacks: [{ endpoint: 'http://a', key: 'x' }] } }, 'chain.fallbacks[0].key'],
      [JSON.parse('{"network":"testnet","__proto__":{"a":1}}'), '__proto__']
    ]
    for (const [value, key] of cases) {
      const err = refusal(value)
      assert.equal(err.code, 'CONFIG_UNKNOWN_KEY')
      assert.equal(err.details['key'], key)
    }
  })

  it('lists the keys that would be right', () => {
    assert.match(refusal({ ...SIMNET, mesh: { mdsn: true } }).message, /listen, bootstrap, mdns$/)
    assert.match(refusal({ ...SIMNET, provider: { prices: { x: 1 } } }).message, /cachedPromptPerMTokens/)
    const fallback = { endpoint: 'http://a', url: 'http://b' }
    assert.match(
      refusal({ network: 'testnet', chain: { fallbacks: [fallback] } }).message,
      /endpoint, apiKey, requestsPerSecond$/
    )
  })

  it('names path, value and expectation of a bad value', () => {
    const cases: Array<[object, string, RegExp]> = [
      [{ network: 'moon' }, 'network', /"moon".*simnet, testnet, mainnet/],
      [{ ...SIMNET, logLevel: 3 }, 'logLevel', /is 3: expected one of/],
      [{ ...SIMNET, mesh: [] }, 'mesh', /is \[\]: expected an object of settings/],
      [{ ...SIMNET, mesh: { listen: '/ip4/1.2.3.4/tcp/1' } }, 'mesh.listen', /expected a list/],
      [{ ...SIMNET, mesh: { listen: [] } }, 'mesh.listen', /at least one/],
      [
        { ...SIMNET, mesh: { listen: ['/ip4/0.0.0.0/tcp/1', 'localhost'] } },
        'mesh.listen[1]',
        /"localhost".*multiaddr/
      ],
      [{ ...SIMNET, mesh: { bootstrap: ['/ip4/1.2.3.4/tcp/1'] } }, 'mesh.bootstrap[0]', /peer id/],
      [{ ...SIMNET, chain: { endpoint: 'ftp://x' } }, 'chain.endpoint', /http/],
      [{ ...SIMNET, chain: { ...SIMNET.chain, requestsPerSecond: 0 } }, 'chain.requestsPerSecond', /1 to 1000/],
      [{ network: 'testnet', chain: { fallbacks: 'http://a' } }, 'chain.fallbacks', /a list/],
      [{ network: 'testnet', chain: { fallbacks: [{ endpoint: ':' }] } }, 'chain.fallbacks[0].endpoint', /":".*URL/],
      [{ network: 'testnet', chain: { fallbacks: [{}] } }, 'chain.fallbacks[0].endpoint', /is missing.*URL/],
      [{ ...SIMNET, provider: { threads: 0 } }, 'provider.threads', /"auto" or a whole number/],
      [{ ...SIMNET, provider: { slots: 1.5 } }, 'provider.slots', /is 1\.5: expected a whole number from 1 to 64/],
      [{ ...SIMNET, provider: { gpu: 'rocm' } }, 'provider.gpu', /cuda/],
      [{ ...SIMNET, provider: { minimumDeposit: 100 } }, 'provider.minimumDeposit', /digits in quotes/],
      [{ ...SIMNET, provider: { minimumDeposit: '0.1' } }, 'provider.minimumDeposit', /digits in quotes/],
      [{ ...SIMNET, provider: { minimumDeposit: '-1' } }, 'provider.minimumDeposit', /digits in quotes/],
      [{ ...SIMNET, provider: { minimumDeposit: '18446744073709551616' } }, 'provider.minimumDeposit', /at most/],
      [{ ...SIMNET, provider: { windowTokens: 0 } }, 'provider.windowTokens', /1 to 4096/],
      [{ ...SIMNET, client: { deposit: '2', maxDeposit: '1' } }, 'client.deposit', /maxDeposit, 1 nanotons/]
    ]
    for (const [value, path, message] of cases) {
      const err = refusal(value)
      assert.equal(err.code, 'CONFIG_INVALID', err.message)
      assert.equal(err.details['path'], path)
      assert.match(err.message, message)
    }
  })

  it('never shows the API key, and shows no more than the start of a long value', () => {
    const secret = 's3cret'.repeat(100)
    const err = refusal({ ...SIMNET, chain: { ...SIMNET.chain, apiKey: secret } })
    assert.equal(err.details['path'], 'chain.apiKey')
    assert.doesNotMatch(err.message, /s3cret/)
    for (const chain of [
      { ...SIMNET.chain, fallbacks: [{ endpoint: 'http://a', apiKey: secret }] },
      { ...SIMNET.chain, fallbacks: { endpoint: 'http://a', apiKey: 's3cret' } },
      [{ apiKey: 's3cret' }]
    ]) {
      assert.doesNotMatch(refusal({ network: 'simnet', chain }).message, /s3cret/)
    }
    assert.ok(refusal({ ...SIMNET, logLevel: 'x'.repeat(10_000) }).message.length < 300)
  })

  it('takes further servers of the chain, but none twice', () => {
    const chain = { fallbacks: [{ endpoint: 'https://a.example/rpc', apiKey: 'k' }, { endpoint: 'https://b.example' }] }
    assert.deepEqual(parseConfig({ network: 'testnet', chain }).chain.fallbacks, chain.fallbacks)
    const twice = [{ endpoint: 'https://a.example/1' }, { endpoint: 'https://a.example/2' }]
    assert.equal(
      refusal({ network: 'testnet', chain: { fallbacks: twice } }).details['path'],
      'chain.fallbacks[1].endpoint'
    )
    const own = [{ endpoint: 'https://testnet.toncenter.com/api/v2/jsonRPC' }]
    assert.equal(
      refusal({ network: 'testnet', chain: { fallbacks: own } }).details['path'],
      'chain.fallbacks[0].endpoint'
    )
  })

  it('takes TCP addresses over IPv4, IPv6 and names', () => {
    const listen = ['/ip4/127.0.0.1/tcp/0', '/ip6/::1/tcp/65535', '/dns4/node.example.org/tcp/4710', '/dns/a/tcp/1']
    const bootstrap = ['/ip4/1.2.3.4/tcp/9/p2p/12D3KooWRBy97UB99e3J6hiPesre1MZeuNQvfan4gBziswrRJsNK']
    assert.deepEqual(parseConfig({ ...SIMNET, mesh: { listen, bootstrap } }).mesh.listen, listen)
    for (const bad of ['/ip4/256.1.1.1/tcp/1', '/ip6/1.2.3.4/tcp/1', '/ip4/1.2.3.4/tcp/65536', '/ip4/1.2.3.4/udp/1']) {
      assert.equal(refusal({ ...SIMNET, mesh: { listen: [bad] } }).code, 'CONFIG_INVALID')
    }
    assert.equal(refusal({ ...SIMNET, mesh: { listen: bootstrap } }).code, 'CONFIG_INVALID')
  })

  it('refuses any JSON value with one of its two codes, or gives a whole configuration', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom('mesh', 'chain', 'provider', 'client', 'logLevel'), (value, key) => {
        try {
          assert.equal(parseConfig({ network: 'testnet', [key]: value }).network, 'testnet')
        } catch (err) {
          assert.ok(err instanceof UsageError)
          assert.ok(['CONFIG_INVALID', 'CONFIG_UNKNOWN_KEY'].includes(err.code))
        }
      })
    )
  })

  it('keeps every amount within 64 bits to the nanoton', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), nano => {
        const config = parseConfig({ network: 'testnet', provider: { minimumDeposit: nano.toString() } })
        assert.equal(config.provider.minimumDeposit, nano)
      })
    )
  })
})
