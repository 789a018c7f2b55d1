/** Left-aligned columns, two spaces apart. Cells are plain single lines. */
export function renderTable(header: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
  const lines = [header, ...rows]
  const widths = header.map((_, column) => Math.max(...lines.map(line => Array.from(line[column] ?? '').length)))
  return lines
    .map(line =>
      line
        .map((cell, column) => cell + ' '.repeat(Math.max(0, (widths[column] ?? 0) - Array.from(cell).length)))
        .join('  ')
        .trimEnd()
    )
    .map(line => `${line}\n`)
    .join('')
}
