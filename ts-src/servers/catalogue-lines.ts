import type { ServerCatalogue } from './catalogue.js'

/** The catalogue as a table for people: name, source, path; then what was not checked, and why. */
export function catalogueLines(catalogue: ServerCatalogue): readonly string[] {
  const rows = catalogue.servers.map((server) => [server.name, server.source, server.path] as const)
  const widths = [0, 1].map((column) => Math.max(0, ...rows.map((row) => row[column]?.length ?? 0)))
  return [
    ...rows.map(([name, source, path]) => `${name.padEnd(widths[0] ?? 0)}  ${source.padEnd(widths[1] ?? 0)}  ${path}`),
    ...catalogue.notChecked.map(({ label, reason }) => `not checked: ${label}: ${reason}`),
  ]
}
