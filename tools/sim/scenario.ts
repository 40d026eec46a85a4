/**
 * What happens in a simulation: how many hosts, what clients ask for, and what goes wrong. It
 * follows from a seed, and parts of it can be left out, to find out which of them a failure needs.
 */
import { type Stream, streamOf } from './random.ts'

/** What a client does. `pick` (0 to 1) chooses one of the instances that it knows by then. */
export type Operation = { readonly atMs: number; readonly host: number } & (
  | { readonly kind: 'run'; readonly count: number }
  /** So many launches of one instance each, at the same moment, at all hosts in turn. */
  | { readonly kind: 'crowd'; readonly count: number }
  | { readonly kind: 'stop' | 'start' | 'reboot' | 'terminate'; readonly pick: number }
  | { readonly kind: 'group'; readonly pick: number }
  | { readonly kind: 'tag'; readonly pick: number; readonly tag: 'name' | 'ttl' }
  | { readonly kind: 'vpc' }
)

/** What goes wrong, and for how long. */
export type Fault = { readonly atMs: number; readonly forMs: number } & (
  | { readonly kind: 'kill' | 'power'; readonly host: number }
  | { readonly kind: 'cut-store'; readonly host: number; readonly node: number | 'all' }
  | { readonly kind: 'cut-hosts'; readonly host: number; readonly other: number }
  | { readonly kind: 'node'; readonly node: number | 'all' }
  | { readonly kind: 'lost-commits'; readonly commits: number }
  | { readonly kind: 'clock'; readonly host: number; readonly ms: number }
  | { readonly kind: 'engine' | 'gate'; readonly host: number; readonly share: number }
  | { readonly kind: 'guest'; readonly host: number; readonly by: 'itself' | 'outside' }
  | {
      readonly kind: 'bus'
      readonly lost: number
      readonly repeated: number
      readonly late: number
    }
  | { readonly kind: 'slow'; readonly ms: number }
)

/** What is simulated. */
export interface Scenario {
  readonly seed: number
  readonly hosts: number
  readonly nodes: number
  readonly operations: readonly Operation[]
  readonly faults: readonly Fault[]
  /** After this time nothing is asked for and nothing goes wrong any more. */
  readonly lengthMs: number
}

/** What may be chosen of a scenario. */
export interface Choice {
  readonly hosts?: number | undefined
  readonly lengthMs?: number | undefined
  /** The operations and faults that are kept, by their positions. Absent: all. */
  readonly operations?: readonly number[] | undefined
  readonly faults?: readonly number[] | undefined
  /** What is asked for and goes wrong besides. */
  readonly more?: Pick<Scenario, 'operations' | 'faults'> | undefined
}

const USUAL_LENGTH_MS = 30_000
/** When the first hosts are up. */
const FIRST_MS = 2_000

/** The scenario of a seed. */
export function scenarioOf(seed: number, choice: Choice = {}): Scenario {
  const random = streamOf(seed, 'scenario')
  const drawn = 2 + Math.floor(random.number() ** 2 * 5)
  const hosts = choice.hosts ?? drawn
  const nodes = 1 + Math.floor(random.number() * 3)
  const lengthMs = choice.lengthMs ?? USUAL_LENGTH_MS
  const parts = { hosts, nodes, lengthMs }
  const operations = manyOf(3 + random.number() * 4 * hosts, () => operationOf(random, parts))
  const faults = manyOf(random.number() * 3 * hosts, () => faultOf(random, parts))
  const { more = { operations: [], faults: [] } } = choice
  return {
    ...{ seed, hosts, nodes, lengthMs },
    operations: [...kept(operations, choice.operations), ...more.operations],
    faults: [...kept(faults, choice.faults), ...more.faults],
  }
}

type Sizes = Pick<Scenario, 'hosts' | 'nodes' | 'lengthMs'>

function manyOf<T extends { readonly atMs: number }>(count: number, make: () => T): readonly T[] {
  return Array.from({ length: Math.floor(count) }, make).toSorted((a, b) => a.atMs - b.atMs)
}

function kept<T>(all: readonly T[], positions: readonly number[] | undefined): readonly T[] {
  return positions === undefined ? all : all.filter((_one, at) => positions.includes(at))
}

function operationOf(random: Stream, { hosts, lengthMs }: Sizes): Operation {
  const atMs = Math.round(random.between(FIRST_MS, lengthMs))
  const host = Math.floor(random.number() * hosts)
  const pick = random.number()
  const kind = random.number()
  const base = { atMs, host }
  if (kind < 0.32) return { ...base, kind: 'run', count: 1 + Math.floor(random.number() ** 3 * 4) }
  if (kind < 0.4) return { ...base, kind: 'crowd', count: 2 + Math.floor(random.number() * 6) }
  if (kind < 0.55) return { ...base, kind: 'terminate', pick }
  if (kind < 0.67) return { ...base, kind: 'stop', pick }
  if (kind < 0.8) return { ...base, kind: 'start', pick }
  if (kind < 0.87) return { ...base, kind: 'reboot', pick }
  if (kind < 0.92) return { ...base, kind: 'group', pick }
  if (kind < 0.97) return { ...base, kind: 'tag', pick, tag: random.chance(0.5) ? 'name' : 'ttl' }
  return { ...base, kind: 'vpc' }
}

function faultOf(random: Stream, { hosts, nodes, lengthMs }: Sizes): Fault {
  const base = {
    atMs: Math.round(random.between(0, lengthMs)),
    forMs: Math.round(random.number() ** 2 * 15_000),
  }
  const host = Math.floor(random.number() * hosts)
  const other = Math.floor(random.number() * hosts)
  const node = random.chance(0.3) ? 'all' : Math.floor(random.number() * nodes)
  const share = random.number()
  const kind = random.number()
  if (kind < 0.22) return { ...base, kind: 'kill', host }
  if (kind < 0.3) return { ...base, kind: 'power', host }
  if (kind < 0.42) return { ...base, kind: 'cut-store', host, node }
  if (kind < 0.5) return { ...base, kind: 'cut-hosts', host, other }
  if (kind < 0.6) return { ...base, kind: 'node', node }
  if (kind < 0.62) return { ...base, kind: 'lost-commits', commits: 1 + Math.floor(share * 10) }
  if (kind < 0.66)
    return { ...base, kind: 'clock', host, ms: Math.round(random.between(-60_000, 60_000)) }
  if (kind < 0.73) return { ...base, kind: 'engine', host, share: share * 0.6 }
  if (kind < 0.78) return { ...base, kind: 'gate', host, share }
  if (kind < 0.86)
    return { ...base, kind: 'guest', host, by: random.chance(0.5) ? 'itself' : 'outside' }
  if (kind < 0.95)
    return { ...base, kind: 'bus', lost: share, repeated: random.number(), late: random.number() }
  return { ...base, kind: 'slow', ms: Math.round(share * 300) }
}
