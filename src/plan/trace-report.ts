/** What became of a traced packet, in words. Pure. */
import type { HostName } from '../model/ids.ts'
import { FABRIC_LINK, isPeerLink, isTransitLink, nicLinkName, WORLD_LINK } from '../model/names.ts'
import type { PlacedNic } from '../model/records.ts'
import type { TracePart, TraceStep } from '../model/trace.ts'
import type { BudgetDropReason } from './budget-buckets.ts'
import { ruleText } from './explain-groups.ts'
import type { CloudRecords, End } from './explain-question.ts'
import type { DropReason } from './nft-text.ts'

/** What was seen on one host. */
export interface HostTrace {
  readonly host: HostName
  readonly parts: readonly TracePart[]
}

/** One sentence about the packet. */
interface TraceLine {
  readonly host: HostName
  /** The VPC in whose network it happened; null: in the host's own. */
  readonly vpc: string | null
  readonly text: string
  /** Whether the packet ends here. */
  readonly stops: boolean
}

export interface TraceReport {
  /** Whether the packet came to its destination, or left for it. */
  readonly passes: boolean
  /** The answer in one sentence. */
  readonly text: string
  readonly lines: readonly TraceLine[]
  /** All that the hosts saw. */
  readonly hosts: readonly HostTrace[]
}

/** Why packets are dropped, as the end of a sentence. */
const REASONS: Readonly<Partial<Record<DropReason | BudgetDropReason, string>>> = {
  unknown_link: 'no instance that should be here has this link',
  spoofed: 'its source is not that of the network interface',
  option: 'it has IP options, or is a redirect',
  spoofed_outside: 'its source is in a VPC or a floating IP, and it comes from outside',
  service_outside: 'only instances reach this address of the host',
  foreign_service: 'another program than Atoll would answer',
  invalid: 'it neither belongs to a connection nor begins one',
  fabric: 'it did not come from where hosts send from',
  transit: 'this host does not route that',
  host: 'this port of the host is not open to instances',
  route: 'no route of its subnet leads there and back',
  peering: 'it is not between the two VPCs of a peering connection',
  acl: 'the network ACL of a subnet refuses it',
  nat_source: 'this host has no address that it may go out with',
  reach: 'instances do not reach that network from here',
  group: 'no rule of a security group lets it pass',
  unjudged: 'the rules of Atoll are missing or damaged',
  stranger: 'it is neither from nor to an instance',
  rate_bandwidth: 'it is above the bandwidth of the instance type',
  rate_packets: 'it is above the packets per second of the instance type',
  budget_connections: 'the network interface has too many open connections',
  budget_new_connections: 'the network interface opens connections too fast',
}

/** The report. `seen` is in the order of the packet's way. */
export function reportTrace(
  subject: string,
  destination: End,
  seen: readonly HostTrace[],
  records: CloudRecords,
): TraceReport {
  const lines = seen.flatMap(({ host, parts }) =>
    parts
      .filter(({ steps }) => steps.length > 0)
      .flatMap(({ network, steps }) => {
        const vpc = records.vpcs.find((one) => network !== null && one.network === network)?.id
        return linesOf(steps, records).map(({ text, stops }) => ({
          ...{ host, vpc: vpc ?? null, text: printable(text), stops },
        }))
      }),
  )
  const stopped = lines.find(({ stops }) => stops)
  const all = seen.flatMap(({ parts }) => parts.flatMap(({ steps }) => steps))
  const passes = stopped === undefined && hasArrived(destination, all)
  return { passes, text: `${subject}: ${conclusion(passes, stopped, lines)}`, lines, hosts: seen }
}

/** Names and rules of other programs may have characters that a terminal obeys. */
function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, '?')
}

function conclusion(
  passes: boolean,
  stopped: TraceLine | undefined,
  lines: readonly TraceLine[],
): string {
  if (passes) return 'it arrived.'
  if (stopped !== undefined) return `dropped on host ${stopped.host}. ${stopped.text}`
  const last = lines.at(-1)
  return last === undefined
    ? 'no host saw it.'
    : `it was last seen on host ${last.host}. ${last.text}`
}

function hasArrived(destination: End, steps: readonly TraceStep[]): boolean {
  if (destination.kind === 'instance') {
    const link = destination.nic === null ? '' : nicLinkName(destination.nic.id)
    return steps.some(({ to }) => to === link)
  }
  return steps.some(({ to }) => to !== null && !isInside(to)) || steps.some(isForHost)
}

/** Whether a link leads to other parts of the cloud. */
function isInside(link: string): boolean {
  return link === FABRIC_LINK || link === WORLD_LINK || isTransitLink(link) || isPeerLink(link)
}

/** Whether it was accepted for the host itself: these chains see nothing else. */
function isForHost({ chain, verdict }: TraceStep): boolean {
  return chain === 'accepted_by_host' && verdict === 'accept'
}

type Line = Pick<TraceLine, 'text' | 'stops'>

function linesOf(steps: readonly TraceStep[], records: CloudRecords): readonly Line[] {
  const nics = new Map(records.nics.map((nic) => [nicLinkName(nic.id), nic]))
  const from = steps.find((step) => step.from !== null)?.from
  const to = steps.findLast((step) => step.to !== null)?.to
  const passed = steps.flatMap((step) => lineOf(step, records))
  const end = passed.at(-1)?.stops ? [] : [endOf(to, steps, nics)]
  const says = (text: string): Line => ({ text, stops: false })
  return [
    ...(from === undefined || from === null ? [] : [says(`It comes by ${linkText(from, nics)}.`)]),
    ...passed,
    ...end,
  ]
}

function endOf(
  to: string | null | undefined,
  steps: readonly TraceStep[],
  nics: ReadonlyMap<string, PlacedNic>,
): Line {
  if (to !== undefined && to !== null)
    return { text: `It goes on by ${linkText(to, nics)}.`, stops: false }
  return steps.some(isForHost)
    ? { text: 'The host itself takes it.', stops: false }
    : { text: 'It is not forwarded: the host has no route for it.', stops: true }
}

function lineOf(step: TraceStep, records: CloudRecords): readonly Line[] {
  const { rule, verdict, table, chain } = step
  if (verdict === 'drop') return [{ text: dropText(step), stops: true }]
  const [, permit] = /counter name "rule_(sgr_[0-9a-f]+)"/.exec(rule ?? '') ?? []
  if (permit !== undefined && verdict !== 'continue')
    return [{ text: permitText(permit.replace('_', '-'), records), stops: false }]
  const nat = rule === null ? undefined : natText(rule)
  if (nat !== undefined) return [{ text: nat, stops: false }]
  if (/\bct state \S*established/.test(rule ?? '') && verdict === 'accept')
    return [{ text: 'It belongs to a connection that is there already.', stops: false }]
  const isForeign = !(table.split(' ')[1] ?? '').startsWith('atoll')
  return isForeign && rule !== null
    ? [{ text: `Rule of another program, ${table} ${chain}: ${rule}`, stops: false }]
    : []
}

function dropText({ rule, table, chain }: TraceStep): string {
  const [, reason = ''] = /counter name "dropped_([a-z_]+)"/.exec(rule ?? '') ?? []
  const why: string | undefined = REASONS[reason as keyof typeof REASONS]
  if (why !== undefined) return `It is dropped (${reason}): ${why}.`
  if (reason !== '') return `It is dropped (${reason}).`
  return rule === null
    ? `The policy of ${table} ${chain} drops it.`
    : `A rule of ${table} ${chain} drops it: ${rule}`
}

function permitText(id: string, { groupRules, groups }: CloudRecords): string {
  const rule = groupRules.find((one) => one.id === id)
  const group = groups.find((one) => one.id === rule?.group)
  if (rule === undefined) return `Rule ${id}, which is gone, lets it pass.`
  const way = rule.egress ? 'out' : 'in'
  return `Rule ${id} of group ${group?.name ?? '?'} (${rule.group}) lets it ${way}: ${ruleText(rule)}.`
}

function natText(rule: string): string | undefined {
  if (/\bmasquerade\b/.test(rule)) return 'Its source becomes an address of that link.'
  if (/\bsnat\b/.test(rule)) return 'Its source is translated.'
  return /\bdnat\b/.test(rule) ? 'Its destination, a floating IP, is translated.' : undefined
}

function linkText(link: string, nics: ReadonlyMap<string, PlacedNic>): string {
  const nic = nics.get(link)
  if (nic !== undefined) return `${nic.id} of ${nic.instance} (${link})`
  if (link === FABRIC_LINK) return `the fabric (${link})`
  if (link === WORLD_LINK) return `the link to the host (${link})`
  if (isPeerLink(link)) return `the link to a peered VPC (${link})`
  return isTransitLink(link) ? `the link to a VPC (${link})` : `link ${link}`
}
