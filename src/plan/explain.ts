/**
 * Whether a packet passes, and what decides. Pure: from the records of the whole cloud, and from
 * what this host knows of its own network.
 *
 * Groups are judged by `permits.ts` and ways out by `reach.ts`, which give the same answers as the
 * rules in the kernel. What a guest itself does with a packet is not known here.
 */
import { cidrContains, type Ipv4, METADATA_ADDRESS } from '../model/addr.ts'
import type { Flow } from '../model/flow.ts'
import {
  ANY_PORT,
  ANY_PROTOCOL,
  formatPeer,
  hasPorts,
  PORT_MAX,
  PROTOCOLS,
} from '../model/group-rule.ts'
import type { HostRouting } from '../model/host-routing.ts'
import type { HostName, SecurityGroupRuleId, VpcId } from '../model/ids.ts'
import type { Instance, PlacedNic } from '../model/records.ts'
import type { RuleWant, SharedWant } from '../model/want.ts'
import {
  type CloudRecords,
  type End,
  SOME_ADDRESS_OUTSIDE,
  type Traffic,
} from './explain-question.ts'
import { groupPermissions, permittingRule, rulesForPeer } from './permits.ts'
import { judgeReach, type ReachSettings } from './reach.ts'
import { serviceAddresses } from './service-addresses.ts'
import { sharedBeside } from './vpc-wants.ts'
import { sharedWant } from './want.ts'

/** The checks, in the order in which a packet passes them. */
export type StepName = 'source' | 'egress' | 'route' | 'ingress' | 'destination' | 'answer' | 'name'

/** One check. */
export interface Step {
  readonly step: StepName
  readonly passes: boolean
  /** A sentence. */
  readonly text: string
  /** The rule of a security group that decides; null when another thing does, or a missing rule. */
  readonly rule: SecurityGroupRuleId | null
}

/** The answer. The first step that does not pass decides. */
export interface Explanation {
  readonly passes: boolean
  /** The answer in one sentence. */
  readonly text: string
  readonly steps: readonly Step[]
}

/** What decides besides the records. */
export interface Surroundings extends ReachSettings {
  /** The host that answers, and whose settings and routes these are. */
  readonly host: HostName
  readonly instanceToHostPorts: readonly number[]
  readonly routing: HostRouting
  /** The DNS zone of instances. */
  readonly zone: string
}

/** A step without a rule. */
export function step(name: StepName, passes: boolean, text: string): Step {
  return { step: name, passes, text, rule: null }
}

/** The result of these steps. */
export function conclude(subject: string, steps: readonly Step[]): Explanation {
  const stopped = steps.find(({ passes }) => !passes)
  const text = stopped === undefined ? `${subject}: yes.` : `${subject}: no. ${stopped.text}`
  return { passes: stopped === undefined, text, steps }
}

/**
 * Explains whether the first packet of a connection passes from one end to the other. At least one
 * end is an instance.
 */
export function explainPacket(
  source: End,
  destination: End,
  traffic: Traffic,
  records: CloudRecords,
  surroundings: Surroundings,
): Explanation {
  const subject = `${traffic.text} from ${nameOf(source, records)} to ${nameOf(destination, records)}`
  const from = addressOf(source)
  const to = addressOf(destination)
  const dead = [
    ...stateSteps('source', source, records),
    ...stateSteps('destination', destination, records),
  ]
  if (from === null || to === null) return conclude(subject, dead)
  const { protocol, port, code } = traffic
  const packet: Packet = {
    flow: { source: from, destination: to, protocol, port, code },
    traffic,
    source,
    destination,
    records,
    surroundings,
    shared: sharedBeside(
      sharedWant(hostOf(source) ?? surroundings.host, {
        ...records,
        hosts: records.hosts.filter(({ state }) => state !== 'forgotten'),
      }),
      vpcOf(source) ?? vpcOf(destination),
    ),
  }
  if (from === to && vpcOf(source) === vpcOf(destination) && floatingIpOf(destination) === null)
    return conclude(subject, [...dead, step('route', true, 'It does not leave the instance.')])
  const steps = [...dead.filter((one) => one.step === 'source'), ...pathSteps(packet)]
  const all = [...steps, ...dead.filter((one) => one.step === 'destination')]
  const answer = step(
    'answer',
    true,
    'Answers pass: connections are tracked, and what belongs to one needs no rule.',
  )
  return conclude(subject, all.every(({ passes }) => passes) ? [...all, answer] : all)
}

interface Packet {
  readonly flow: Flow
  readonly traffic: Traffic
  readonly source: End
  readonly destination: End
  readonly records: CloudRecords
  readonly surroundings: Surroundings
  /** The shared want of the source's host. */
  readonly shared: SharedWant
}

/** Rules and routes on the way. */
function pathSteps(packet: Packet): readonly Step[] {
  const { source, destination, flow, shared, records } = packet
  if (source.kind === 'address') {
    if (shared.vpcs.some(({ cidr }) => cidrContains(cidr, flow.source)))
      return [
        step(
          'source',
          false,
          `${flow.source} is in a VPC, but no instance has it: packets that claim it are dropped.`,
        ),
      ]
    const host = records.hosts.find(({ name }) => name === hostOf(destination))
    if (host?.fabricAddress === flow.source)
      return [step('route', true, `Host ${host.name} reaches its own instances without a rule.`)]
    const floatingIp = destination.kind === 'instance' ? destination.nic?.publicIp : null
    if (floatingIp)
      return [
        step(
          'route',
          true,
          `Host ${hostOf(destination)} answers for ${floatingIp}, and translates it to ${flow.destination}.`,
        ),
        ...ingressSteps(packet),
      ]
    const text = `The sender outside must send it to host ${hostOf(destination)} by a route of its own: private addresses are announced nowhere.`
    return [step('route', true, text), ...ingressSteps(packet)]
  }
  const floatingIp = floatingIpOf(destination)
  if (floatingIp !== null) return floatingSteps(packet, source, floatingIp)
  const local = hostServiceSteps(packet)
  if (local !== null) return local
  const egress = groupStep(packet, source.nic, true)
  return [egress, ...routeSteps(packet), ...ingressSteps(packet)]
}

/**
 * From an instance to a floating IP. The host of both translates before groups are asked; else the
 * packet goes out and comes in again.
 */
function floatingSteps(
  packet: Packet,
  source: Extract<End, { readonly kind: 'instance' }>,
  floatingIp: Ipv4,
): readonly Step[] {
  const { destination, flow, records, surroundings } = packet
  const [host, there] = [hostOf(source), hostOf(destination)]
  if (host === there) {
    const text = `Host ${host} has both, and translates ${floatingIp} to ${flow.destination}.`
    return [groupStep(packet, source.nic, true), step('route', true, text), ...ingressSteps(packet)]
  }
  const { passes, why } = judgeReach(floatingIp, surroundings, surroundings.routing)
  const sender = records.hosts.find(({ name }) => name === host)
  const outside = source.nic?.publicIp ?? sender?.fabricAddress ?? SOME_ADDRESS_OUTSIDE
  const as = source.nic?.publicIp ? 'its floating IP' : `an address of host ${host}`
  const text = passes
    ? `It goes out with ${as} to host ${there}, which translates ${floatingIp} to ${flow.destination}.`
    : `Instances do not reach ${floatingIp}: ${why}.`
  return [
    groupStep({ ...packet, flow: { ...flow, destination: floatingIp } }, source.nic, true),
    step('route', passes, text),
    ...ingressSteps({ ...packet, flow: { ...flow, source: outside } }),
  ]
}

function ingressSteps(packet: Packet): readonly Step[] {
  const { destination } = packet
  return destination.kind === 'instance' ? [groupStep(packet, destination.nic, false)] : []
}

/** The result of the rules of the NIC's groups. */
function groupStep(packet: Packet, nic: PlacedNic | null, egress: boolean): Step {
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
function ruleText({ protocol, fromPort, toPort, peer, egress }: RuleWant): string {
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

/** The route between two instances, or out of the cloud. */
function routeSteps(packet: Packet): readonly Step[] {
  const { source, destination, flow, shared, records, surroundings } = packet
  const host = hostOf(source)
  if (destination.kind === 'address') {
    if (shared.vpcs.some(({ cidr }) => cidrContains(cidr, flow.destination)))
      return [step('route', false, `No instance has ${flow.destination}: there is no route to it.`)]
    const other = records.vpcs.find(
      ({ cidr, network }) => network === null && cidrContains(cidr, flow.destination),
    )
    if (other !== undefined)
      return [
        step('route', false, `${flow.destination} is in ${other.id}, which it does not reach.`),
      ]
    const { passes, why } = judgeReach(flow.destination, surroundings, surroundings.routing)
    const whose =
      host === surroundings.host
        ? ''
        : ` This is as seen from host ${surroundings.host}; ask on ${host}, too.`
    const own = source.kind === 'instance' ? source.nic?.publicIp : null
    const outwards = own ? `its floating IP ${own}` : `an address of host ${host}`
    const text = passes
      ? `It goes out with ${outwards}: ${why}.${whose}`
      : `Instances do not reach ${flow.destination}: ${why}.${whose}`
    return [step('route', passes, text)]
  }
  if (vpcOf(source) !== vpcOf(destination))
    return [
      step(
        'route',
        false,
        `They are in different VPCs, ${vpcOf(source)} and ${vpcOf(destination)}, and nothing joins these.`,
      ),
    ]
  const there = hostOf(destination)
  if (host === there) return [step('route', true, `Both are on host ${host}.`)]
  for (const name of [host, there]) {
    const row = records.hosts.find((one) => one.name === name && one.state !== 'forgotten')
    if (row === undefined) return [step('route', false, `There is no host ${name} any more.`)]
    if (row.fabricAddress === null)
      return [
        step(
          'route',
          false,
          `Host ${name} has no address for other hosts: it lacks the setting fabric.address.`,
        ),
      ]
  }
  const via = shared.routes.find(({ ip }) => ip === flow.destination)?.via
  return [
    via === undefined
      ? step('route', false, `Host ${host} has no route to ${flow.destination}.`)
      : step('route', true, `Host ${host} has a route by ${via} to host ${there}.`),
  ]
}

/** Packets to a host itself, which no group checks. Null when the destination is not a host. */
function hostServiceSteps({ flow, shared, records, surroundings }: Packet): readonly Step[] | null {
  const { destination, protocol, port } = flow
  const isOpen = protocol === PROTOCOLS.tcp && surroundings.instanceToHostPorts.includes(port)
  const open = `the setting network.instanceToHostPorts ${isOpen ? 'has' : 'does not have'} it`
  if (serviceAddresses(shared).includes(destination)) {
    const isDns = (protocol === PROTOCOLS.udp || protocol === PROTOCOLS.tcp) && port === 53
    const isDhcp = protocol === PROTOCOLS.udp && port === 67
    const isMetadata = destination === METADATA_ADDRESS && protocol === PROTOCOLS.tcp && port === 80
    const isPing = protocol === PROTOCOLS.icmp && port === 8
    if (isDns || isDhcp || isMetadata || isPing)
      return [step('route', true, "The instance's own host answers; no group is asked.")]
    const text = `${destination} is the address of services of the host, and this is none of them: ${open}.`
    return [step('route', isOpen, isOpen ? `The instance's own host takes it: ${open}.` : text)]
  }
  const host = records.hosts.find(({ fabricAddress }) => fabricAddress === destination)
  if (host === undefined || host.state === 'forgotten') return null
  const text = `${destination} is host ${host.name} itself: ${open}.`
  return [step('route', isOpen, text)]
}

/** Whether the end is a running instance on a live host. */
export function stateSteps(
  name: 'source' | 'destination',
  end: End,
  { hosts, nameTags }: CloudRecords,
): readonly Step[] {
  if (end.kind === 'address') return []
  const { instance, nic } = end
  const called = instanceName(instance, nameTags)
  if (instance.state !== 'running') return [step(name, false, `${called} is ${instance.state}.`)]
  if (nic === null) return [step(name, false, `${called} has no network interface.`)]
  const host = hosts.find((one) => one.name === instance.host)
  if (host?.live !== true)
    return [
      step(
        name,
        false,
        `Host ${instance.host} of ${called} is lost: nobody knows whether the instance still runs.`,
      ),
    ]
  return [step(name, true, `${called} runs on host ${instance.host} with ${nic.ip} (${nic.id}).`)]
}

function instanceName({ id }: Instance, nameTags: CloudRecords['nameTags']): string {
  const tag = nameTags.get(id)
  return tag === undefined ? id : `${tag} (${id})`
}

function nameOf(end: End, { nameTags }: CloudRecords): string {
  return end.kind === 'address' ? end.ip : instanceName(end.instance, nameTags)
}

function addressOf(end: End): Ipv4 | null {
  return end.kind === 'address' ? end.ip : (end.nic?.ip ?? null)
}

function floatingIpOf(end: End): Ipv4 | null {
  return end.kind === 'address' ? null : end.floatingIp
}

function hostOf(end: End): HostName | null {
  return end.kind === 'address' ? null : end.instance.host
}

function vpcOf(end: End): VpcId | null {
  return end.kind === 'address' ? null : (end.nic?.vpc ?? null)
}
