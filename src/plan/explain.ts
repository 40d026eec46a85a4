/**
 * Whether a packet passes, and what decides. Pure: from the records of the whole cloud, and from
 * what this host knows of its own network.
 *
 * Groups are judged by `permits.ts` and ways out by `reach.ts`, which give the same answers as the
 * rules in the kernel. What a guest itself does with a packet is not known here.
 */
import { cidrContains, type Ipv4, METADATA_ADDRESS } from '../model/addr.ts'
import type { FabricSettings } from '../model/fabric.ts'
import type { Flow } from '../model/flow.ts'
import { PROTOCOLS } from '../model/group-rule.ts'
import type { HostRouting } from '../model/host-routing.ts'
import type { HostName, VpcId } from '../model/ids.ts'
import type { NatSettings } from '../model/nat.ts'
import type { Instance } from '../model/records.ts'
import type { SharedWant } from '../model/want.ts'
import { groupStep } from './explain-groups.ts'
import { outwardAddress } from './explain-nat.ts'
import { judgePeering, lostToHost, peerRoute } from './explain-peering.ts'
import {
  addressOf,
  type CloudRecords,
  type End,
  floatingIpOf,
  hostOf,
  type Traffic,
  vpcOf,
} from './explain-question.ts'
import { apartStep, routerOf, routerSteps } from './explain-router.ts'
import { answerOf, judgeArriving, judgeByAcl, judgeLeaving } from './explain-routes.ts'
import { addressOutside, isTranslatedHere, networkOf, seenByBoth } from './explain-source.ts'
import { conclude, type Explanation, type Step, step } from './explain-step.ts'
import { judgeReach, type ReachSettings } from './reach.ts'
import { serviceAddresses } from './service-addresses.ts'
import { sharedBeside } from './vpc-wants.ts'
import { sharedWant } from './want.ts'

/** What decides besides the records. */
export interface Surroundings extends ReachSettings {
  /** The host that answers, and whose settings and routes these are. */
  readonly host: HostName
  readonly instanceToHostPorts: readonly number[]
  readonly fabric: Pick<FabricSettings, 'mode'>
  readonly routing: HostRouting
  readonly nat: NatSettings
  /** The DNS zone of instances. */
  readonly zone: string
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
    shared: sharedOf(source, destination, records, surroundings.host),
  }
  if (from === to && vpcOf(source) === vpcOf(destination) && floatingIpOf(destination) === null)
    return conclude(subject, [...dead, step('route', true, 'It does not leave the instance.')])
  const steps = [...dead.filter((one) => one.step === 'source'), ...pathSteps(packet)]
  const all = [...steps, ...dead.filter((one) => one.step === 'destination')]
  return conclude(
    subject,
    all.every(({ passes }) => passes) ? [...all, ...answerSteps(packet)] : all,
  )
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

/** Answers are tracked, but network ACLs ask every packet. */
function answerSteps(packet: Packet): readonly Step[] {
  const { flow, source, destination, records } = packet
  const seen = seenByBoth(packet, flow)
  const back = answerOf({ ...flow, destination: seen.destination })
  const router = routerOf(source, floatingIpOf(destination) ?? flow.destination, records)
  const asked = [
    ...(router === undefined ? [] : aclSteps(back, true, router, records)),
    ...aclSteps(answerOf({ ...flow, source: seen.source }), true, destination, records),
    ...aclSteps(back, false, source, records),
  ]
  const denied = asked.find(({ passes }) => !passes)
  const text =
    denied === undefined
      ? 'Answers pass: connections are tracked, and what belongs to one needs no rule.'
      : `Answers do not pass, because network ACLs track no connections. ${denied.text}`
  return [step('answer', denied === undefined, text)]
}

/** What the network ACL of the end's subnet says; nothing when it is not asked. */
function aclSteps(packet: Flow, egress: boolean, end: End, records: CloudRecords): readonly Step[] {
  if (end.kind === 'address' || end.nic === null) return []
  const judged = judgeByAcl(packet, egress, end.nic, records)
  return judged === undefined ? [] : [step('acl', judged.passes, judged.text)]
}

/** Whether routes let what comes from outside the VPC in. */
function arrivingSteps(from: Ipv4, { destination, records }: Packet): readonly Step[] {
  if (destination.kind === 'address' || destination.nic === null) return []
  const judged = judgeArriving(destination.nic, from, records)
  if (judged === null || judged.passes) return []
  return [step('route', false, `Its answers would not go back to ${from}: ${judged.why}.`)]
}

/**
 * What the namespace of the source has of the shared want, and the groups and routes of the
 * destination, if that is in another one.
 */
function sharedOf(
  source: End,
  destination: End,
  records: CloudRecords,
  host: HostName,
): SharedWant {
  const hosts = records.hosts.filter(({ state }) => state !== 'forgotten')
  const whole = sharedWant(hostOf(source) ?? host, { ...records, hosts })
  const own = sharedBeside(whole, vpcOf(source) ?? vpcOf(destination))
  if (vpcOf(source) === null || vpcOf(destination) === null) return own
  if (vpcOf(source) === vpcOf(destination)) return own
  const isOther = ({ vpc }: { readonly vpc?: VpcId | undefined }) => vpc === vpcOf(destination)
  return {
    ...own,
    groups: [...own.groups, ...whole.groups.filter(isOther)],
    routes: [...own.routes, ...whole.routes.filter(isOther)],
  }
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
        ...arrivingSteps(flow.source, packet),
        ...ingressSteps(packet),
      ]
    const vpc = vpcOf(destination)
    if (vpc !== null && networkOf(vpc, records) !== null)
      return [
        step(
          'route',
          false,
          `${vpc} has a network of its own, whose private addresses nobody outside reaches: it takes a floating IP.`,
        ),
      ]
    const text = `The sender outside must send it to host ${hostOf(destination)} by a route of its own: private addresses are announced nowhere.`
    return [
      step('route', true, text),
      ...arrivingSteps(flow.source, packet),
      ...ingressSteps(packet),
    ]
  }
  const floatingIp = floatingIpOf(destination)
  if (floatingIp !== null) return floatingSteps(packet, source, floatingIp)
  const local = isJoined(packet) ? null : hostServiceSteps(packet)
  if (local !== null) return local
  const egress = [
    groupStep(packet, source.nic, true),
    ...aclSteps(flow, true, source, packet.records),
  ]
  return [...egress, ...routeSteps(packet), ...ingressSteps(packet)]
}

/**
 * From an instance to a floating IP. Where both are in one network namespace, it is translated
 * before groups are asked; else the packet goes out and comes in again.
 */
function floatingSteps(
  packet: Packet,
  source: Extract<End, { readonly kind: 'instance' }>,
  floatingIp: Ipv4,
): readonly Step[] {
  const { destination, flow, records, surroundings } = packet
  const [host, there] = [hostOf(source), hostOf(destination)]
  const leaving = source.nic === null ? null : judgeLeaving(source.nic, floatingIp, records)
  if (leaving?.router !== undefined) {
    const outwards = { ...packet, flow: { ...flow, destination: floatingIp } }
    return [
      groupStep(outwards, source.nic, true),
      ...aclSteps(outwards.flow, true, source, records),
      ...routerSteps(leaving.router, leaving.why, outwards),
    ]
  }
  const away = leaving?.passes === false ? [noWayStep(floatingIp, leaving.why)] : []
  if (vpcOf(source) === null || vpcOf(destination) === null) return away
  if (isTranslatedHere(packet)) {
    const text = `Host ${host} has both, and translates ${floatingIp} to ${flow.destination}.`
    return [
      groupStep(packet, source.nic, true),
      ...aclSteps(flow, true, source, records),
      ...away,
      step('route', true, text),
      ...arrivingSteps(floatingIp, packet),
      ...ingressSteps(packet),
    ]
  }
  const { passes, why } =
    host === there
      ? { passes: true, why: '' }
      : judgeReach(floatingIp, surroundings, surroundings.routing)
  const outside = addressOutside(packet, source, floatingIp)
  const as = outside.isOwn ? 'its floating IP' : `an address of host ${host}`
  const text = passes
    ? `It goes out with ${as} to host ${there}, which translates ${floatingIp} to ${flow.destination}.`
    : `Instances do not reach ${floatingIp}: ${why}.`
  const outwards = { ...flow, destination: floatingIp }
  return [
    groupStep({ ...packet, flow: outwards }, source.nic, true),
    ...aclSteps(outwards, true, source, records),
    ...away,
    step('route', passes, text),
    ...arrivingSteps(outside.ip, packet),
    ...ingressSteps({ ...packet, flow: { ...flow, source: outside.ip } }),
  ]
}

function ingressSteps(packet: Packet): readonly Step[] {
  const { destination, flow, records } = packet
  if (destination.kind === 'address') return []
  return [...aclSteps(flow, false, destination, records), groupStep(packet, destination.nic, false)]
}

function noWayStep(destination: Ipv4, why: string): Step {
  return step('route', false, `Instances of its subnet do not reach ${destination}: ${why}.`)
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
    const nic = source.kind === 'instance' ? source.nic : null
    const leaving = nic === null ? null : judgeLeaving(nic, flow.destination, records)
    if (leaving?.router !== undefined) return routerSteps(leaving.router, leaving.why, packet)
    if (leaving?.passes === false) return [noWayStep(flow.destination, leaving.why)]
    const { passes, why } = judgeReach(flow.destination, surroundings, surroundings.routing)
    const whose =
      host === surroundings.host
        ? ''
        : ` This is as seen from host ${surroundings.host}; ask on ${host}, too.`
    const outwards = outwardAddress({ nic, leaving }, flow, host, records, surroundings)
    const by = leaving === null ? '' : `${leaving.why}; `
    const text = passes
      ? `It ${outwards.passes ? 'goes' : 'would go'} out with ${outwards.text}: ${by}${why}.${whose}`
      : `Instances do not reach ${flow.destination}: ${why}.${whose}`
    return [step('route', passes && outwards.passes, text)]
  }
  const peering = judgePeering(vpcOf(source), vpcOf(destination), records)
  const joined: Step[] = peering === null ? [] : [step('route', peering.passes, peering.text)]
  if (peering?.passes === false) return joined
  if (peering?.peering !== undefined)
    joined.push(
      ...[
        ...peerRoute(source, flow.destination, peering.peering, records),
        ...peerRoute(destination, flow.source, peering.peering, records),
        ...lostToHost([source, destination], records, surroundings),
      ].map(({ passes, text }) => step('route', passes, text)),
    )
  const there = hostOf(destination)
  if (host === there) return [...joined, step('route', true, `Both are on host ${host}.`)]
  const apart = apartStep([host, there], records)
  if (apart !== null) return [apart]
  const via = shared.routes.find(({ ip }) => ip === flow.destination)?.via
  return [
    ...joined,
    via === undefined
      ? step('route', false, `Host ${host} has no route to ${flow.destination}.`)
      : step('route', true, `Host ${host} has a route by ${via} to host ${there}.`),
  ]
}

/** Whether both are instances between which a host may have no address: it has that elsewhere. */
function isJoined({ source, destination, records }: Packet): boolean {
  if (source.kind === 'address' || destination.kind === 'address') return false
  const [from, to] = [vpcOf(source), vpcOf(destination)]
  if (from === to) return from !== null && networkOf(from, records) !== null
  return judgePeering(from, to, records)?.passes === true
}

/**
 * Packets to a host itself. Groups and ACLs are asked only of what leaves the namespace of the
 * instance. Null when the destination is not a host.
 */
function hostServiceSteps(packet: Packet): readonly Step[] | null {
  const { source, flow, shared, records, surroundings } = packet
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
  const nic = source.kind === 'address' ? null : source.nic
  const vpc = records.vpcs.find(({ id }) => id === nic?.vpc)
  const isForwarded = host.name !== hostOf(source) || (vpc?.network ?? null) !== null
  const asked =
    nic !== null && isForwarded
      ? [groupStep(packet, nic, true), ...aclSteps(flow, true, source, records)]
      : []
  const leaving = nic === null ? null : judgeLeaving(nic, destination, records)
  if (isOpen && leaving?.passes === false) return [...asked, noWayStep(destination, leaving.why)]
  const text = `${destination} is host ${host.name} itself: ${open}.`
  return [...asked, step('route', isOpen, text)]
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
