/** `atoll usage`: what accounts have used, for a bill or a budget. */
import { type Command, Option } from 'commander'
import type { UsageDocument, UsageReport } from './api/usage.ts'
import { columns, type Output, print, show } from './cli-output.ts'
import { readAdmin } from './operator/admin-client.ts'

interface Asked extends Output {
  readonly from?: string
  readonly to?: string
  readonly account?: string
  readonly byTag?: string
  readonly daily?: true
  readonly csv?: true
}

/** Adds the command. */
export function addUsage(program: Command, runtimeDir: () => string): void {
  program
    .command('usage')
    .description(
      'show what accounts have used: hours of instances, vCPUs, memory, disks and floating IPs. Days are in UTC',
    )
    .option('--from <day>', 'the first day, as in 2026-11-01; default: the first of the month')
    .option('--to <day>', 'the last day, included; default: today')
    .option('--account <account>', 'only of this account, by id or name')
    .option('--by-tag <key>', 'a line for each value of this tag, as in: team')
    .option('--daily', 'a line for each day')
    .addOption(new Option('--csv', 'print CSV (RFC 4180)').conflicts('json'))
    .option('--json', 'print JSON')
    .action(async ({ csv, json, ...asked }: Asked) => {
      const { from, to, account, byTag, daily } = asked
      const document = (await readAdmin(runtimeDir(), '/v1/usage', {
        ...{ from, to, account, 'by-tag': byTag },
        daily: daily === true ? 'true' : undefined,
      })) as UsageDocument
      if (csv === true) process.stdout.write(csvOf(document, asked))
      else show(json === true ? { json } : {}, document, (one) => render(one, asked))
      if (csv !== true && json !== true && document.rows.length === 0)
        print('nothing was used, or nothing is recorded yet: it is written every minute')
    })
}

/** The columns that name a line, as asked. */
function names({ byTag, daily }: Asked): readonly (keyof UsageReport)[] {
  return [
    ...(daily === true ? (['day'] as const) : []),
    ...(['account', 'accountName'] as const),
    ...(byTag === undefined ? [] : (['value'] as const)),
  ]
}

const AMOUNTS = [
  'instanceHours',
  'vcpuHours',
  'memoryGiBHours',
  'diskGiBHours',
  'addressHours',
] as const satisfies readonly (keyof UsageReport)[]

function render({ from, to, rows }: UsageDocument, asked: Asked): string {
  const heads: Partial<Record<keyof UsageReport, string>> = {
    day: 'DAY',
    account: 'ACCOUNT',
    accountName: 'NAME',
    value: asked.byTag?.toUpperCase() ?? '',
    instanceHours: 'INSTANCE H',
    vcpuHours: 'VCPU H',
    memoryGiBHours: 'MEMORY GIB H',
    diskGiBHours: 'DISK GIB H',
    addressHours: 'ADDRESS H',
  }
  const shown = names(asked)
  const table = columns(
    [...shown, ...AMOUNTS].map((name) => heads[name] ?? name),
    rows.map((row) => [
      ...shown.map((name) => (name === 'value' ? valueText(row) : row[name])),
      ...AMOUNTS.map((name) => row[name].toFixed(2)),
    ]),
  )
  return `${from} to ${to}, UTC\n${table}`
}

/** The value of the tag, or what the line is instead. */
function valueText({ kind, value }: UsageReport): string {
  return kind === 'value' ? (value ?? '') : `(${kind})`
}

/** With a line of names first, which are those of `--json`. */
function csvOf({ rows }: UsageDocument, asked: Asked): string {
  const shown = [
    ...names(asked),
    ...(asked.byTag === undefined ? [] : (['kind'] as const)),
    ...AMOUNTS,
  ]
  const lines = [shown, ...rows.map((row) => shown.map((name) => row[name]))]
  return lines.map((line) => `${line.map(csvField).join(',')}\r\n`).join('')
}

/**
 * A quoted field where it must be. Text that a spreadsheet would take for a formula gets an
 * apostrophe in front: values of tags are any tenant's.
 */
function csvField(value: string | number | null): string {
  if (typeof value !== 'string') return String(value ?? '')
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
