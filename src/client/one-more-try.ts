/**
 * What `first` yields. If it fails before it yielded anything and `mend` says that trying again makes sense, what `again`
 * yields: once, whatever happens then.
 *
 * @throws what the last try threw
 */
export async function* withOneMoreTry<T>(
  first: AsyncIterable<T>,
  mend: (err: unknown) => Promise<boolean>,
  again: () => AsyncIterable<T>
): AsyncGenerator<T> {
  let begun = false
  try {
    for await (const event of first) {
      begun = true
      yield event
    }
    return
  } catch (err) {
    if (begun || !(await mend(err))) {
      throw err
    }
  }
  yield* again()
}
