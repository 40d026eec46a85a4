/** Results as Markdown, for the terminal, and between the markers of the manual's page. */
import { availableParallelism } from 'node:os'
import { quantile } from '../bench/figures.ts'
import type { ConsistencyResult } from './consistency/run.ts'
import type { Drill, DrillRow, Figure } from './drill.ts'
import { markdownTable, replacedBetween } from './markdown.ts'
import type { Loss } from './probe-losses.ts'
import type { RuleLatency } from './rule-latency.ts'

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`

const HEAD = [
  'drill',
  'others: packets lost',
  'DNS',
  'DHCP',
  'own: packets lost',
  'DNS',
  'DHCP',
  'API reads: longest gap',
  'writes',
  'loss known after',
  'whole again after',
  'left over or doubled',
  'besides',
  'measured',
]

/** A table of results that were measured on a day. */
export function table(rows: readonly DrillRow[], when: string): string {
  return markdownTable(
    HEAD,
    rows.map((row) => cells(row, when)),
  )
}

function cells(row: DrillRow, when: string): readonly string[] {
  const { others, own, rounds, machine } = row
  const how = rounds === 1 ? 'once' : `the worst of ${rounds} rounds`
  return [
    row.name,
    ...[others.packets, others.dns, others.dhcp].map(lossText),
    ...[own.packets, own.dns, own.dhcp].map(lossText),
    seconds(row.readGapMs),
    seconds(row.writeGapMs),
    row.knownMs === null ? '–' : seconds(row.knownMs),
    row.convergedMs === null ? 'never' : seconds(row.convergedMs),
    row.differences.length === 0 ? 'nothing' : `${row.differences.length}`,
    row.figures.map(figureText).join('; '),
    `${how}, ${when}, load ${Math.round(machine.load)}`,
  ]
}

function lossText({ sent, lost, longestMs }: Loss): string {
  if (sent === 0) return '–'
  return lost === 0 ? `0 of ${sent}` : `${lost} of ${sent} (${seconds(longestMs)})`
}

function figureText({ label, value, unit }: Figure): string {
  const text = unit === 'ms' ? seconds(value) : unit === '%' ? `${value.toFixed(1)} %` : `${value}`
  return `${label}: ${text}`
}

/** What a result has besides the table: missed targets, notes, and the machine's load. */
export function remarks({ name, missed, notes, machine }: DrillRow): readonly string[] {
  const { load, lostBefore, seconds: took } = machine
  return [
    ...missed.map((text) => `MISSED: ${name}: ${text}`),
    ...notes.map((text) => `${name}: ${text}`),
    `${name}: took ${took} s; load average ${load.toFixed(1)}; lost before the fault: ${lostBefore}`,
  ]
}

/** The result of a consistency check. */
export function consistencyText(result: ConsistencyResult): string {
  const { seed, seconds: took, faults, requests, looks, violations } = result
  return [
    `seed ${seed}, ${took} s, ${looks} looks at all hosts, faults: ${faults.join(', ')}`,
    Object.entries(requests)
      .map(([what, count]) => `${count} ${what}`)
      .join(', '),
    ...violations.map((text) => `VIOLATION: ${text}`),
    violations.length === 0 ? 'no violation' : `${violations.length} violations`,
  ].join('\n')
}

/** Most time from the answer of the API until a rule is in force on a host, p99. */
const RULE_MS = 500

/** The times of changed rules, and whether their target is met. */
export function ruleLatencyText({ authorized, revoked }: RuleLatency): {
  readonly text: string
  readonly met: boolean
} {
  const line = (what: string, times: readonly number[]) => {
    const [half, most, worst] = [0.5, 0.99, 1].map((share) => quantile(times, share).toFixed(0))
    return `${what}: ${times.length} times, p50 ${half} ms, p99 ${most} ms, at most ${worst} ms after the answer`
  }
  const met = [authorized, revoked].every((times) => quantile(times, 0.99) <= RULE_MS)
  return {
    text: [
      line('a new rule lets the first packet in', authorized),
      line('a revoked rule lets the last packet in', revoked),
      `${met ? 'met' : 'MISSED'}: p99 within ${RULE_MS} ms`,
    ].join('\n'),
    met,
  }
}

const BEGIN = '<!-- drills: written by scripts/drill all --write-docs -->'
const END = '<!-- /drills -->'

/**
 * The page with new results and answers. What drills without a new result have there stays. Throws
 * when a marker is missing.
 */
export function writtenInto(
  page: string,
  drills: readonly Drill[],
  rows: readonly DrillRow[],
  when: string,
): string {
  const lines: string[] = []
  const sections: string[] = []
  for (const drill of drills) {
    const row = rows.find(({ name }) => name === drill.name)
    const before = row === undefined ? resultIn(page, drill.name) : {}
    const line = row === undefined ? before.line : table([row], when).split('\n').at(-1)
    if (line !== undefined) lines.push(line)
    sections.push(section(drill, row === undefined ? before.measured : sentence(row)))
  }
  const measured = `Measured on a machine of ${availableParallelism()} cores, with all three hosts and the clients on it. The last column says when, how often, and at which load average.`
  const text = [measured, [markdownTable(HEAD, []), ...lines].join('\n'), ...sections].join('\n\n')
  return replacedBetween(page, BEGIN, END, text)
}

/** A drill's line of the table, and the sentence about what was measured, as the page has them. */
function resultIn(
  page: string,
  name: string,
): { readonly line?: string | undefined; readonly measured?: string | undefined } {
  const line = page.split('\n').find((one) => one.startsWith(`| ${name} |`))
  const [, rest = ''] = page.split(`\n## ${name}\n`)
  const [own = ''] = rest.split('\n## ')
  const measured = new RegExp(`^(\\*Measured:\\* .*) Repeat it: \`scripts/drill ${name}\`\\.$`, 'm')
  return { line, measured: measured.exec(own)?.[1] }
}

function section({ name, about, answer }: Drill, measured = 'Not measured yet.'): string {
  return `## ${name}\n\n*What is done:* ${about}.\n\n${answer}\n\n${measured} Repeat it: \`scripts/drill ${name}\`.`
}

function sentence(row: DrillRow): string {
  const { others, own, missed, convergedMs } = row
  const lost = (loss: { readonly packets: Loss; readonly dns: Loss; readonly dhcp: Loss }) =>
    `${loss.packets.lost} packets, ${loss.dns.lost} DNS queries and ${loss.dhcp.lost} renewals`
  return [
    `*Measured:* instances that the fault does not concern lost ${lost(others)}; those that it concerns lost ${lost(own)}.`,
    `The longest gap of API reads was ${seconds(row.readGapMs)}, of writes ${seconds(row.writeGapMs)}.`,
    row.knownMs === null ? '' : `The loss was known after ${seconds(row.knownMs)}.`,
    convergedMs === null
      ? 'Not everything was whole again.'
      : `Everything was whole again ${seconds(convergedMs)} after the fault ended.`,
    row.figures.length === 0 ? '' : `${row.figures.map(figureText).join('; ')}.`,
    missed.length === 0 ? '' : `**Missed: ${missed.join('; ')}.**`,
  ]
    .filter((text) => text !== '')
    .join(' ')
}
