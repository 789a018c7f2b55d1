/**
 * SHA-256 of the DER of "Intel SGX Root CA" (serial 22650cd6…06ac, valid 2018 to 2049), the only trust anchor of SGX and
 * TDX: https://certificates.trustedservices.intel.com/Intel_SGX_Provisioning_Certification_RootCA.cer
 */
export const INTEL_SGX_ROOT_SHA256 = '44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3'
