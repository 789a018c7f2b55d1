export * from './candidates.ts'
export * from './job-state.ts'
export * from './offer-choice.ts'
