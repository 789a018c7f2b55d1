/** Generations of AMD EPYC that can run SEV-SNP guests; Siena and Bergamo are endorsed as Genoa. */
export const SNP_PRODUCTS = ['milan', 'genoa', 'turin'] as const

export type SnpProduct = (typeof SNP_PRODUCTS)[number]

/** What AMD's certificates call each product. */
export const PRODUCT_NAMES: Readonly<Record<SnpProduct, string>> = { milan: 'Milan', genoa: 'Genoa', turin: 'Turin' }

/** Roots to trust: SHA-256 of each certificate's DER, lower-case hex. */
export type SnpRoots = Readonly<Record<SnpProduct, string>>

/** AMD's root keys (ARK). Nothing else is trusted. */
export const AMD_ROOTS: SnpRoots = {
  milan: '69d063b45344d26a2e94e1f4210de49ef555308287d4c174445c95639a540bcd',
  genoa: '4c6598d19c18719c5dfd4a7d335f674e5bfe1d8f800cea2cf270c10d103db2f1',
  turin: '1f084161a44bb6d93778a904877d4819cafa5d05ef4193b2ded9dd9c73dd3f6a'
}

/** CPUID of a report, version 3 and later: family and model with their extended parts added in. */
export interface SnpCpuid {
  readonly family: number
  readonly model: number
  readonly stepping: number
}

/** The product that a root certificate stands for, by SHA-256 of its DER in lower-case hex, or undefined. */
export function productOfArk(digest: string, roots: SnpRoots = AMD_ROOTS): SnpProduct | undefined {
  return SNP_PRODUCTS.find(product => roots[product] === digest)
}

/** The product with this CPUID, or undefined. */
export function productOfCpuid({ family, model }: SnpCpuid): SnpProduct | undefined {
  if (family === 0x19) {
    // 0xA0 to 0xAF are Bergamo and Siena.
    return model <= 0x0f ? 'milan' : model <= 0x1f || (model >= 0xa0 && model <= 0xaf) ? 'genoa' : undefined
  }
  return family === 0x1a && model <= 0x1f ? 'turin' : undefined
}
