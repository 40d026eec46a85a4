/**
 * Reads what accepted connections of NICs have carried, from the kernel's connection table. An
 * entry stays there for some seconds after its end, so a reading every few seconds misses nothing,
 * and what a tenant can cost is limited by his share of that table.
 */
import type { Ipv4 } from '../../model/addr.ts'
import { type Count, increase } from '../../model/counters.ts'
import type { FlowTraffic } from '../../model/flow.ts'
import { hasPorts } from '../../model/group-rule.ts'

/** One direction of a connection at a NIC of this host, since the last reading. */
export interface Accepted extends Count {
  /** The address of the NIC. */
  readonly nic: Ipv4
  readonly direction: 'ingress' | 'egress'
  readonly source: string
  readonly destination: string
  readonly sourcePort: number
  readonly destinationPort: number
  readonly protocol: number
}

/**
 * A function that is called with each reading of the table, and says what is new in it. In the
 * first reading nothing is: what is there was recorded before, or was not to be. Of NICs that come
 * later, too, only what their connections carry from then on is new.
 */
export function createAcceptedReader(): (
  flows: readonly FlowTraffic[],
  nics: ReadonlySet<Ipv4>,
) => readonly Accepted[] {
  let last: ReadonlyMap<string, readonly [Count, Count]> | null = null
  return (flows, nics) => {
    const now = new Map<string, readonly [Count, Count]>()
    const accepted: Accepted[] = []
    for (const flow of flows) {
      const key = `${flow.id} ${flow.source} ${flow.destination} ${flow.protocol}`
      now.set(key, [flow.sent, flow.answered])
      if (last === null || (!nics.has(flow.source) && !nics.has(flow.answerFrom))) continue
      const [sent, answered] = last.get(key) ?? []
      const there = increase(sent, flow.sent)
      const back = increase(answered, flow.answered)
      accepted.push(...recordsOf(flow, there, back, nics))
    }
    last = now
    return accepted
  }
}

/** Each NIC sees its own private address, and the other end as it appears there. */
function recordsOf(
  flow: FlowTraffic,
  there: Count,
  back: Count,
  nics: ReadonlySet<Ipv4>,
): readonly Accepted[] {
  const { protocol } = flow
  const withPorts = hasPorts(protocol)
  const [sourcePort, destinationPort] = withPorts ? [flow.sourcePort, flow.port] : [0, 0]
  const begun = { protocol, sourcePort, destinationPort }
  const answer = { protocol, sourcePort: destinationPort, destinationPort: sourcePort }
  const seen = (nic: Ipv4, source: Ipv4, destination: Ipv4): Accepted[] => {
    const isSource = nic === source
    return [
      { ...begun, ...there, nic, source, destination, direction: isSource ? 'egress' : 'ingress' },
      {
        ...{ ...answer, ...back, nic, source: destination, destination: source },
        direction: isSource ? 'ingress' : 'egress',
      },
    ]
  }
  return [
    ...(nics.has(flow.source) ? seen(flow.source, flow.source, flow.destination) : []),
    ...(nics.has(flow.answerFrom) ? seen(flow.answerFrom, flow.answerTo, flow.answerFrom) : []),
  ].filter(({ packets }) => packets > 0)
}
