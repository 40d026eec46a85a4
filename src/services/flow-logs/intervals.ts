/**
 * Collects records of one flow log in one namespace until their interval ends. Pure but for what it
 * remembers; times are in seconds since the epoch.
 */
import {
  type FlowLogWant,
  type FlowRecord,
  type FlowRecordOwner,
  recordLine,
} from '../../model/flow-log.ts'

/** Different flows of one NIC in one interval. More are left out, and that is said. */
const FLOWS_MAX = 10_000

/** What was seen of one flow. */
export type Sighting = Omit<FlowRecord, 'start' | 'end'>

/** The lines of one NIC. */
export interface NicLines {
  readonly owner: FlowRecordOwner
  readonly lines: readonly string[]
}

interface Collected {
  readonly owner: FlowRecordOwner
  readonly flows: Map<string, { record: FlowRecord }>
  hasSkipped: boolean
}

export interface Interval {
  /** The NICs that the flow log is of. */
  follow(owners: readonly FlowRecordOwner[]): void
  see(nic: string, sighting: Sighting, now: number): void
  /** Not everything of this NIC was seen. */
  skip(nic: string): void
  /** The lines of the interval when it has ended, else null. The next one has begun then. */
  take(now: number): readonly NicLines[] | null
}

/** Intervals of a flow log, the first of which begins now. */
export function createInterval(
  { trafficType, fields, aggregationSeconds }: FlowLogWant,
  now: number,
): Interval {
  let began = now
  let there: readonly FlowRecordOwner[] = []
  let nics = new Map<string, Collected>()
  const fresh = (owner: FlowRecordOwner): Collected => ({
    ...{ owner, flows: new Map(), hasSkipped: false },
  })
  return {
    follow(owners) {
      for (const owner of owners) if (!nics.has(owner.nic)) nics.set(owner.nic, fresh(owner))
      // What is gone has its last records at the end of the interval.
      there = owners
      const kept = new Set<string>(owners.map(({ nic }) => nic))
      for (const [nic, { flows }] of nics) if (!kept.has(nic) && flows.size === 0) nics.delete(nic)
    },
    see(nic, sighting, now) {
      const collected = nics.get(nic)
      if (collected === undefined) return
      if (trafficType !== 'ALL' && trafficType !== sighting.action) return
      const key = keyOf(sighting)
      const known = collected.flows.get(key)
      if (known === undefined) {
        if (collected.flows.size >= FLOWS_MAX) collected.hasSkipped = true
        else collected.flows.set(key, { record: { ...sighting, start: now, end: now } })
        return
      }
      const { record } = known
      known.record = {
        ...record,
        packets: record.packets + sighting.packets,
        bytes: record.bytes + sighting.bytes,
        end: now,
      }
    },
    skip(nic) {
      const collected = nics.get(nic)
      if (collected !== undefined && trafficType !== 'ACCEPT') collected.hasSkipped = true
    },
    take(now) {
      if (now - began < aggregationSeconds) return null
      const span = { start: began, end: now }
      const taken = [...nics.values()].map(({ owner, flows, hasSkipped }): NicLines => {
        const records = [...flows.values()].map(({ record }) => record)
        const gap = { status: records.length === 0 ? 'NODATA' : 'SKIPDATA', ...span } as const
        const gaps = records.length === 0 || hasSkipped ? [gap] : []
        return { owner, lines: [...records, ...gaps].map((one) => recordLine(fields, owner, one)) }
      })
      began = now
      nics = new Map(there.map((owner) => [owner.nic, fresh(owner)]))
      return taken
    },
  }
}

function keyOf(sighting: Sighting): string {
  const { source, destination, sourcePort, destinationPort, protocol } = sighting
  const { action, direction } = sighting
  return `${source} ${destination} ${sourcePort} ${destinationPort} ${protocol} ${action} ${direction}`
}
