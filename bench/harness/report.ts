// One topic's results as a table for people and as JSON.
import { writeFile } from 'node:fs/promises'
import { isMet, type Figure } from './figure.js'
import { thisMachine } from './machine.js'

/** One row of the topic's table. */
export interface RowResult {
  /** Short name, as `--row` takes it. */
  readonly row: string
  readonly what: string
  readonly against: string
  readonly figures: readonly Figure[]
  /** What a reader has to know besides. */
  readonly notes: readonly string[]
  /** What a profile has shown to stand in the way where an aim is missed; said only then. */
  readonly obstacle?: string
}

export interface Report {
  readonly topic: string
  readonly server?: string
  readonly rows: readonly RowResult[]
}

const kHeads = ['row', 'figure', 'ours', 'theirs', 'result', 'range', 'aim', ''] as const

export function printReport(report: Report): void {
  const { processor, cores, memoryGiB, node } = thisMachine()
  const server = report.server === undefined ? '' : `${report.server}, `
  console.log(`\n${report.topic}: ${server}Node ${node}, ${processor}, ${cores} cores, ${memoryGiB} GiB\n`)
  const lines = report.rows.flatMap(({ row, figures }) =>
    figures.map((figure, i) => [i === 0 ? row : '', ...cells(figure)]),
  )
  const widths = kHeads.map((head, column) => Math.max(head.length, ...lines.map((line) => line[column]?.length ?? 0)))
  const format = (line: readonly string[]): string =>
    line
      .map((cell, i) => (i < 2 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join('  ')
      .trimEnd()
  for (const line of [kHeads, widths.map((width) => '-'.repeat(width)), ...lines]) console.log(format(line))
  console.log('')
  for (const row of report.rows) {
    const said = [...row.notes, ...obstacleOf(row)].map((note) => `; ${note}`).join('')
    console.log(`${row.row}: ${row.what}${row.against === '' ? '' : `, against ${row.against}`}${said}`)
  }
}

function obstacleOf({ figures, obstacle }: RowResult): readonly string[] {
  return obstacle === undefined || figures.every((figure) => isMet(figure) !== false)
    ? []
    : [`missed because ${obstacle}`]
}

export async function writeReport(path: string, report: Report): Promise<void> {
  const rows = report.rows.map((row) => ({
    ...row,
    figures: row.figures.map((figure) => ({ ...figure, met: isMet(figure) ?? null })),
  }))
  const whole = {
    topic: report.topic,
    date: new Date().toISOString(),
    machine: thisMachine(),
    server: report.server,
    rows,
  }
  await writeFile(path, `${JSON.stringify(whole, null, 2)}\n`)
}

function cells({ aim, unit, sideUnit = '', ...figure }: Figure): readonly string[] {
  const met = isMet({ ...figure, unit, ...(aim === undefined ? {} : { aim }) })
  const side = (value: number | undefined): string => (value === undefined ? '' : withUnit(value, sideUnit))
  return [
    figure.name,
    side(figure.ours),
    side(figure.theirs),
    withUnit(figure.value.median, unit),
    figure.value.rounds < 2 ? '' : `${short(figure.value.min, unit)} to ${short(figure.value.max, unit)}`,
    aim === undefined ? '' : `${aim.is === 'at least' ? '>=' : '<='} ${withUnit(aim.value, unit)}`,
    met === undefined ? '' : met ? 'met' : 'missed',
  ]
}

function withUnit(value: number, unit: string): string {
  return unit === '' ? short(value, unit) : `${short(value, unit)} ${unit}`
}

function short(value: number, unit: string): string {
  if (unit === 'x') return value.toFixed(2)
  return Math.abs(value) >= 1000 ? Math.round(value).toLocaleString('en') : String(Number(value.toPrecision(3)))
}
