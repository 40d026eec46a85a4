/** Results as Markdown, for the terminal, and between the markers of the manual's page. */
import { availableParallelism } from 'node:os'
import { markdownTable, replacedBetween } from '../markdown.ts'
import type { Answers } from './impact.ts'
import type { NeighbourRow } from './run.ts'

const HEAD = [
  'attack',
  'what is shared',
  'what it got',
  'packets lost',
  'DNS p99',
  'DHCP p99',
  'API p99',
  'lease',
]

/** A table of results. */
export function neighbourTable(rows: readonly NeighbourRow[]): string {
  return markdownTable(HEAD, rows.map(cells))
}

function cells({ name, shared, got, noticed }: NeighbourRow): readonly string[] {
  const { packets, dns, dhcp, api, lease } = noticed
  return [
    name,
    shared,
    got.replaceAll('|', '/'),
    `${packets.lost} of ${packets.sent}`,
    ...[dns, dhcp, api].map(answersText),
    lease.lapsed === 0 ? 'held' : `run out at ${lease.lapsed} of ${lease.looks} looks`,
  ]
}

function answersText({ sent, lost, p99Ms }: Answers): string {
  const time = `${p99Ms < 10 ? p99Ms.toFixed(1) : Math.round(p99Ms)} ms`
  return lost === 0 ? time : `${time}, ${lost} of ${sent} unanswered`
}

const BEGIN = '<!-- neighbours: written by scripts/drill neighbours --write-docs -->'
const END = '<!-- /neighbours -->'

/** The page with what was measured replaced. Throws when the markers are not there. */
export function neighboursWrittenInto(
  page: string,
  rows: readonly NeighbourRow[],
  when: string,
): string {
  const loads = rows.map(({ load }) => Math.round(load))
  const measured = `Measured on ${when} on a machine of ${availableParallelism()} cores, with the host, its engines, the attacker and the probes on it and a load average from ${Math.min(...loads)} to ${Math.max(...loads)}.`
  const tried = rows.map(({ name, tried: what }) => `- **${name}**: ${what}.`)
  const missed = rows.flatMap((row) => row.missed.map((text) => `- ${row.name}: ${text}`))
  const verdict =
    missed.length === 0 ? 'No target was missed.' : `**Targets missed:**\n\n${missed.join('\n')}`
  const text = [measured, neighbourTable(rows), verdict, 'What is tried:', tried.join('\n')]
  return replacedBetween(page, BEGIN, END, text.join('\n\n'))
}
