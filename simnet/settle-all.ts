/**
 * Like `Promise.all`, but a failure is passed on only after every part has ended: nothing is started any more once the
 * caller begins to clean up.
 *
 * @param abort told of the first failure at once, so that the other parts end soon
 */
export async function settleAll<T extends readonly unknown[]>(
  parts: readonly [...{ [K in keyof T]: Promise<T[K]> }],
  abort: AbortController
): Promise<T> {
  const all: ReadonlyArray<Promise<unknown>> = parts
  for (const part of all) {
    part.catch((err: unknown) => abort.abort(err))
  }
  await Promise.allSettled(all)
  // The first failure, not the first part that failed: the others may only have been told to end.
  if (abort.signal.aborted) {
    throw abort.signal.reason
  }
  return (await Promise.all(all)) as unknown as T
}
