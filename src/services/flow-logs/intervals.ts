/**
 * Collects records of one flow log in one namespace until their interval ends. Pure but for what it
 * remembers. Wall clocks jump, so how long an interval lasts goes by the monotonic one.
 */
import type { Room } from '../../lib/room.ts'
import {
  type FlowLogWant,
  type FlowRecord,
  type FlowRecordOwner,
  recordLine,
} from '../../model/flow-log.ts'

/** Different flows of one NIC in one interval. More are left out, and that is said. */
const FLOWS_MAX = 10_000
/** So many of one NIC have room in any case. */
const FLOWS_OF_ITS_OWN = 100

/** A time by both clocks, in seconds. */
export interface Moment {
  /** Since the epoch. */
  readonly wall: number
  /** Since an arbitrary start. */
  readonly monotonic: number
}

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
  /** How many flows took room that all share. */
  shared: number
  hasSkipped: boolean
}

export interface Interval {
  /** The NICs that the flow log is of. */
  follow(owners: readonly FlowRecordOwner[]): void
  /** `wall` is in seconds since the epoch. */
  see(nic: string, sighting: Sighting, wall: number): void
  /** Not everything of this NIC was seen. */
  skip(nic: string): void
  /** The lines of the interval when it has ended, else null. The next one has begun then. */
  take(now: Moment): readonly NicLines[] | null
  /** The lines so far. Nothing is collected after that. */
  end(now: Moment): readonly NicLines[]
}

/** Intervals of a flow log, the first of which begins now. */
export function createInterval(log: FlowLogWant, room: Room, now: Moment): Interval {
  const { trafficType, fields, aggregationSeconds } = log
  let began = now
  let there: readonly FlowRecordOwner[] = []
  let nics = new Map<string, Collected>()
  /** What was collected of NICs while they were another instance's. */
  let moved: Collected[] = []

  const finish = (now: Moment, next: readonly FlowRecordOwner[]): readonly NicLines[] => {
    const span = { start: began.wall, end: Math.max(began.wall, now.wall) }
    const taken = [...moved, ...nics.values()].map(({ owner, flows, hasSkipped }): NicLines => {
      const records = [...flows.values()].map(({ record }) => record)
      const gap = { status: hasSkipped ? 'SKIPDATA' : 'NODATA', ...span } as const
      const gaps = records.length === 0 || hasSkipped ? [gap] : []
      return { owner, lines: [...records, ...gaps].map((one) => recordLine(fields, owner, one)) }
    })
    for (const { shared } of [...moved, ...nics.values()]) room.giveBack(shared)
    began = now
    moved = []
    nics = new Map(next.map((owner) => [owner.nic, fresh(owner)]))
    return taken
  }
  return {
    follow(owners) {
      for (const owner of owners) {
        const known = nics.get(owner.nic)
        if (known?.owner.instance === owner.instance) continue
        if (known !== undefined && known.flows.size > 0) moved.push(known)
        nics.set(owner.nic, fresh(owner))
      }
      // What is gone has its last records at the end of the interval.
      there = owners
      const kept = new Set<string>(owners.map(({ nic }) => nic))
      for (const [nic, { flows }] of nics) if (!kept.has(nic) && flows.size === 0) nics.delete(nic)
    },
    see(nic, sighting, wall) {
      const collected = nics.get(nic)
      if (collected === undefined) return
      if (trafficType !== 'ALL' && trafficType !== sighting.action) return
      add(collected, sighting, wall, room)
    },
    skip(nic) {
      const collected = nics.get(nic)
      if (collected !== undefined && trafficType !== 'ACCEPT') collected.hasSkipped = true
    },
    take: (now) =>
      now.monotonic - began.monotonic < aggregationSeconds ? null : finish(now, there),
    end: (now) => finish(now, []),
  }
}

function fresh(owner: FlowRecordOwner): Collected {
  return { owner, flows: new Map(), shared: 0, hasSkipped: false }
}

/** Adds it to the flow's record, or makes one if there is room. */
function add(collected: Collected, sighting: Sighting, wall: number, room: Room): void {
  const { flows } = collected
  const key = keyOf(sighting)
  const known = flows.get(key)
  if (known !== undefined) {
    const { record } = known
    known.record = {
      ...record,
      packets: record.packets + sighting.packets,
      bytes: record.bytes + sighting.bytes,
      end: Math.max(record.end, wall),
    }
    return
  }
  if (flows.size >= FLOWS_OF_ITS_OWN) {
    if (flows.size >= FLOWS_MAX || !room.take()) {
      collected.hasSkipped = true
      return
    }
    collected.shared += 1
  }
  flows.set(key, { record: { ...sighting, start: wall, end: wall } })
}

function keyOf(sighting: Sighting): string {
  const { source, destination, sourcePort, destinationPort, protocol } = sighting
  const { action, direction } = sighting
  return `${source} ${destination} ${sourcePort} ${destinationPort} ${protocol} ${action} ${direction}`
}
