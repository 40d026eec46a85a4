/**
 * Hosts that run one instance after another by the rules of `src/plan/failover`, on clocks that
 * drift, over messages that come late or never, with records that lose commits. Everything follows
 * from a seed. Takers do not wait until a host seems lost: that is for speed, and safety must not
 * depend on it.
 */
import { type HostName, parseHostName } from '../../src/model/ids.ts'
import type { Membership } from '../../src/plan/failover/membership.ts'
import { CLOCK_ERROR, FAILOVER_SETTINGS } from '../../src/plan/failover/times.ts'
import {
  createHost,
  type FailoverCloud,
  type Records,
  RULES,
  type Rules,
  type Run,
  type SimulatedHost,
} from './failover-host.ts'
import { type Stream, streamOf } from './random.ts'

/** What happened. */
export interface History {
  /** When the instance ran where, in real milliseconds. */
  readonly runs: readonly Run[]
  /** Whether it ever ran twice at a time. */
  readonly overlaps: boolean
}

const LENGTH_MS = 90_000
const VOLATILE_MS = Math.floor(FAILOVER_SETTINGS.durableMs * (1 - CLOCK_ERROR))

/** Runs the cloud that follows from this seed. */
export function failoverHistory(seed: number, rules: Rules = RULES): History {
  const world = createWorld(seed, rules)
  while (world.nowMs() < LENGTH_MS && world.step());
  return world.history()
}

function createWorld(seed: number, rules: Rules) {
  const random = streamOf(seed, 'failover')
  const events: { atMs: number; run: () => void }[] = []
  let nowMs = 0
  let ids = 0
  const runs: Run[] = []
  const names = ['a', 'b', 'c', 'd', 'e']
    .slice(0, random.chance(0.7) ? 3 : 5)
    .flatMap((name) => parseHostName(name) ?? [])
  const [first] = names
  if (first === undefined) throw new Error('no host')
  /** Links that are cut, as `from to`. */
  const cut = new Set<string>()
  const records = createRecords(random, () => nowMs, {
    assignment: { host: first, run: 1, id: 'first' },
    epochs: new Map(names.map((name) => [name, `first ${name}`])),
  })

  const after = (ms: number, run: () => void) => {
    const event = { atMs: nowMs + Math.max(0, ms), run }
    let at = events.length
    while (at > 0 && (events[at - 1]?.atMs ?? 0) < event.atMs) at -= 1
    events.splice(at, 0, event)
  }
  const cloud: FailoverCloud = {
    ...{ random, rules, records, after, names, runs },
    membership: { version: 1, members: names } satisfies Membership,
    nowMs: () => nowMs,
    newId: () => `${++ids}`,
    /** Delivers a message, unless it is lost. */
    send(from: HostName, to: HostName, run: () => void) {
      if (from === to) return run()
      if (cut.has(`${from} ${to}`) || random.chance(0.03)) return
      after(random.chance(0.1) ? random.between(0, 6_000) : random.between(0, 100), run)
    },
  }
  const hosts: ReadonlyMap<HostName, SimulatedHost> = new Map(
    names.map((name) => [name, createHost(name, cloud, (to) => hosts.get(to))]),
  )
  after(random.between(5_000, 20_000), trouble)

  /** Something goes wrong, mostly where the instance is. */
  function trouble() {
    const name = random.chance(0.6) ? records.newest().assignment.host : random.pick(names)
    const lengthMs = random.pick([500, 3_000, 9_000, 14_000, 25_000]) ?? 0
    if (name !== undefined) happen(name, lengthMs)
    after(random.between(500, 20_000), trouble)
  }
  function happen(name: HostName, lengthMs: number) {
    const kind = random.pick(['freeze', 'restart', 'cut', 'one way', 'records', 'crash'])
    if (kind === 'freeze') hosts.get(name)?.freeze(lengthMs)
    if (kind === 'restart') hosts.get(name)?.restart()
    if (kind === 'crash') records.crash()
    if (kind === 'records') records.cut(name, lengthMs)
    if (kind !== 'cut' && kind !== 'one way') return
    const others = names.filter((one) => one !== name && random.chance(0.8))
    const links = others.flatMap((other) => [
      `${name} ${other}`,
      ...(kind === 'cut' ? [`${other} ${name}`] : []),
    ])
    for (const link of links) cut.add(link)
    after(lengthMs, () => {
      for (const link of links) cut.delete(link)
    })
  }
  return {
    nowMs: () => nowMs,
    step() {
      const event = events.pop()
      if (event === undefined) return false
      nowMs = event.atMs
      event.run()
      return true
    },
    history(): History {
      const sorted = runs.toSorted((one, other) => one.fromMs - other.fromMs)
      const overlaps = sorted.some((run, index) => (sorted[index - 1]?.untilMs ?? 0) > run.fromMs)
      return { runs: sorted, overlaps }
    },
  }
}

/** Records that lose the newest commits in a crash, and are read a little late. */
function createRecords(random: Stream, nowMs: () => number, initial: Records) {
  let versions = [{ atMs: Number.NEGATIVE_INFINITY, value: initial }]
  const away = new Map<HostName, number>()
  let downUntilMs = 0
  const newest = () => versions.at(-1)?.value ?? initial
  const answers = (to: HostName) => nowMs() >= Math.max(downUntilMs, away.get(to) ?? 0)
  return {
    answers,
    newest,
    cut: (host: HostName, ms: number) => away.set(host, nowMs() + ms),
    /** As a node says that has not applied the last commits. */
    stale(): Records {
      const atMs = nowMs() - (random.chance(0.3) ? random.between(0, 2_000) : 0)
      return versions.findLast((version) => version.atMs <= atMs)?.value ?? initial
    },
    commit: (value: Records) => void versions.push({ atMs: nowMs(), value }),
    crash() {
      const lostMs = random.between(0, VOLATILE_MS)
      versions = versions.filter(({ atMs }) => atMs < nowMs() - lostMs)
      downUntilMs = nowMs() + random.between(0, 4_000)
    },
  }
}
