/** Why `@phala/dcap-qvl` 0.3.9 accepts what we refuse with some codes, where some piece of a case was damaged. */
interface KnownDisagreement {
  /** Our codes, from the start. */
  readonly ours: RegExp
  /**
   * The damaged piece.
   *
   * @default any, also none
   */
  readonly piece?: RegExp
  readonly reason: string
}

const LENIENT = /^ATTESTATION_(?:CRL|CERTIFICATE|PEM|COLLATERAL)_/

/** The first that fits counts. */
const KNOWN: readonly KnownDisagreement[] = [
  {
    ours: /_COLLATERAL_SIGNER_REFUSED$/,
    reason: 'the case itself: it takes TCB info by any certificate under the root'
  },
  {
    ours: /_COLLATERAL_INVALID$/,
    piece: /_signature(?: \(bytes\))?$/,
    reason: 'it ignores what follows the 64 bytes of a signature'
  },
  {
    ours: LENIENT,
    piece: /^pck_crl_issuer_chain/,
    reason: "it never reads the chain of the PCK revocation list's issuer"
  },
  {
    ours: /^ATTESTATION_(?:CRL|COLLATERAL|CERTIFICATE_REVOKED)/,
    piece: /^(?:root_ca|pck)_crl/,
    reason:
      'it skips a revocation list that it cannot read, and checks neither signature nor issuer nor dates of others'
  },
  { ours: /^ATTESTATION_CRL_/, reason: 'the case itself: it checks neither signature nor form of revocation lists' },
  { ours: /_QUOTE_TRAILING_BYTES$/, piece: /^quote/, reason: 'it ignores what follows the quote' },
  { ours: /_CERTIFICATE_NOT_CA$/, reason: 'the case itself: it lets a certificate that is no CA issue others' },
  { ours: /_TDX_SEAM_SIGNER_UNKNOWN$/, reason: 'the case itself: it does not ask who signed the TDX module' },
  { ours: /_TDX_ATTRIBUTE_REFUSED$/, reason: 'the case itself: it leaves attributes besides DEBUG to its caller' },
  {
    ours: /_TCB_(?:OUT_OF_DATE|SW_HARDENING_NEEDED)$/,
    reason: 'the case itself: it leaves the TCB status to its caller'
  },
  {
    ours: /_(?:PEM_INVALID|COLLATERAL_INVALID)$/,
    piece: /_issuer_chain$|^quote$/,
    reason: 'it reads PEM leniently: what stands between or after certificates is ignored'
  }
]

/** The reason for a refusal that is ours alone, or undefined where nobody knows: a finding. */
export function knownReason(ours: string, piece: string): string | undefined {
  return KNOWN.find(known => known.ours.test(ours) && (known.piece?.test(piece) ?? true))?.reason
}
