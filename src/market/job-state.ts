/** Where a client's job stands (design §4). */
export type JobState = 'announced' | 'accepted' | 'streaming' | 'done' | 'failed' | 'cancelled'

export type JobEvent = 'accept' | 'first-chunk' | 'receipt' | 'fail' | 'cancel'

const NEXT: Readonly<Record<JobState, Partial<Record<JobEvent, JobState>>>> = {
  announced: { accept: 'accepted', fail: 'failed', cancel: 'cancelled' },
  accepted: { 'first-chunk': 'streaming', receipt: 'done', fail: 'failed', cancel: 'cancelled' },
  streaming: { 'first-chunk': 'streaming', receipt: 'done', fail: 'failed', cancel: 'cancelled' },
  done: {},
  failed: {},
  cancelled: {}
}

/** The state after an event, or undefined where the event is not allowed: the caller treats that as a broken protocol. */
export function nextJobState(state: JobState, event: JobEvent): JobState | undefined {
  return NEXT[state][event]
}
