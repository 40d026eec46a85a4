/** What security groups say of a packet, in sentences. Pure: as `permits.ts` judges. */
import type { Flow } from '../model/flow.ts'
import {
  ANY_PORT,
  ANY_PROTOCOL,
  formatPeer,
  hasPorts,
  PORT_MAX,
  PROTOCOLS,
  type RuleMatch,
} from '../model/group-rule.ts'
import type { PlacedNic } from '../model/records.ts'
import type { SharedWant } from '../model/want.ts'
import type { CloudRecords, Traffic } from './explain-question.ts'
import { type Step, step } from './explain-step.ts'
import { groupPermissions, permittingRule, rulesForPeer } from './permits.ts'

/** A packet, and the groups that judge it. */
interface Judged {
  readonly flow: Flow
  readonly traffic: Traffic
  readonly records: Pick<CloudRecords, 'groups'>
  readonly shared: Pick<SharedWant, 'groups'>
}

/** The result of the rules of the NIC's groups. */
export function groupStep(packet: Judged, nic: PlacedNic | null, egress: boolean): Step {
  const { flow, traffic, shared, records } = packet
  const name = egress ? 'egress' : 'ingress'
  const direction = egress ? 'out' : 'in'
  const other = egress ? flow.destination : flow.source
  const toOther = egress ? `to ${other}` : `from ${other}`
  const ids = nic?.groups ?? []
  const own = { groups: ids.map((id) => ({ id })) }
  const groups = groupPermissions(shared.groups)
  const called = (id: string) => {
    const group = records.groups.find((one) => one.id === id)
    return group === undefined ? id : `${group.name} (${id})`
  }
  const permit = permittingRule(flow, egress, own, groups)
  if (permit !== undefined) {
    const { rule, group } = permit
    const text = `Rule ${rule.id} of group ${called(group)} lets it ${direction}: ${ruleText(rule)}.`
    return { step: name, passes: true, text, rule: rule.id }
  }
  const some = rulesForPeer(other, egress, own, groups)
  const only =
    some.length === 0
      ? ''
      : ` What they let ${direction} ${toOther}: ${some.map(({ rule }) => `${ruleText(rule)} (${rule.id})`).join('; ')}.`
  const where = ids.length === 0 ? 'it is in no group' : `of ${ids.map(called).join(', ')}`
  const text = `No rule lets ${traffic.text} ${direction} ${toOther}: ${where}.${only}`
  return step(name, false, text)
}

/** The packets that a rule allows, in words. */
export function ruleText({ protocol, fromPort, toPort, peer, egress }: RuleMatch): string {
  const whom = `${egress ? 'to' : 'from'} ${formatPeer(peer)}`
  if (protocol === ANY_PROTOCOL) return `everything ${whom}`
  const [known] = Object.entries(PROTOCOLS).find(([, number]) => number === protocol) ?? []
  const name = known ?? `protocol ${protocol}`
  if (hasPorts(protocol)) {
    if (fromPort === 0 && toPort === PORT_MAX) return `every ${name} port ${whom}`
    return `${name} ${fromPort === toPort ? fromPort : `${fromPort}-${toPort}`} ${whom}`
  }
  if (fromPort === ANY_PORT) return `${name} ${whom}`
  return `${name} type ${fromPort}${toPort === ANY_PORT ? '' : ` code ${toPort}`} ${whom}`
}
