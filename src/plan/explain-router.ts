/**
 * What a route to an instance that is a router does with a packet, for `atoll explain`. Pure. What
 * the instance does with it is not known.
 */
import type { Ipv4 } from '../model/addr.ts'
import type { Flow } from '../model/flow.ts'
import type { HostName, NicId } from '../model/ids.ts'
import type { SharedWant } from '../model/want.ts'
import { groupStep } from './explain-groups.ts'
import { type CloudRecords, type End, hostOf, type Traffic } from './explain-question.ts'
import { judgeByAcl, judgeLeaving } from './explain-routes.ts'
import { type Step, step } from './explain-step.ts'

/** A packet that a route leads to a router. */
interface LedPacket {
  readonly flow: Flow
  readonly traffic: Traffic
  readonly source: End
  readonly records: CloudRecords
  readonly shared: Pick<SharedWant, 'groups'>
}

/** The router that a route leads to, as an end; undefined: there is none. */
export function routerOf(
  source: End,
  destination: Ipv4,
  records: CloudRecords,
): Extract<End, { readonly kind: 'instance' }> | undefined {
  const nic = source.kind === 'address' ? null : source.nic
  if (nic === null) return undefined
  const id = judgeLeaving(nic, destination, records)?.router
  return id === undefined ? undefined : endOf(id, records)
}

function endOf(id: NicId, { nics, instances }: CloudRecords) {
  const nic = nics.find((one) => one.id === id)
  const instance = instances.find((one) => one.id === nic?.instance)
  if (nic === undefined || instance === undefined) return undefined
  return { kind: 'instance', instance, nic, floatingIp: null } as const
}

/** The way to the router, and into it. `why` names the route. */
export function routerSteps(router: NicId, why: string, packet: LedPacket): readonly Step[] {
  const { flow, source, records } = packet
  const end = endOf(router, records)
  const no = (text: string) => [step('route', false, text)]
  if (end === undefined) return no(`The ${why}, ${router}, which is gone.`)
  const { instance, nic } = end
  const name = records.nameTags.get(instance.id)
  const called = name === undefined ? instance.id : `${name} (${instance.id})`
  if (source.kind === 'instance' && source.nic?.id === router)
    return no(`The ${why}, and that is the sender itself: ${called}.`)
  if (instance.state !== 'running')
    return no(`The ${why}, and ${called}, which has ${router}, is ${instance.state}.`)
  const apart = apartStep([hostOf(source), instance.host], records)
  if (apart !== null) return [apart]
  const judged = judgeByAcl(flow, false, nic, records)
  const text = `The ${why}: ${called} gets it at ${nic.ip} (${router}) on host ${instance.host}, and decides what becomes of it.`
  return [
    step('route', true, text),
    ...(judged === undefined ? [] : [step('acl', judged.passes, judged.text)]),
    groupStep(packet, nic, false),
  ]
}

/** Why nothing goes from one of these hosts to the other; null: it does. */
export function apartStep(
  hosts: readonly (HostName | null)[],
  records: Pick<CloudRecords, 'hosts'>,
): Step | null {
  if (new Set(hosts).size === 1) return null
  for (const name of hosts) {
    const row = records.hosts.find((one) => one.name === name && one.state !== 'forgotten')
    if (row === undefined) return step('route', false, `There is no host ${name} any more.`)
    if (row.fabricAddress === null)
      return step(
        'route',
        false,
        `Host ${name} has no address for other hosts: it lacks the setting fabric.address.`,
      )
  }
  return null
}
