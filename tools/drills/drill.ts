/**
 * Runs one drill: a lab under load, a fault, its end, and measurements.
 *
 * The load runs from before the fault until the lab is healthy again. Losses of the broken parts
 * themselves are excluded by `excuse`. All other losses count; the target is zero.
 */
import { loadavg } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { messageOf } from '../../src/model/errors.ts'
import { canRunMachines } from '../kit/tiny-guest.ts'
import type { Lab } from '../lab/lab.ts'
import {
  type ApiClient,
  clientOf,
  describe,
  type ListClient,
  labCredentials,
  listClient,
  machineImage,
  sampleImage,
  systemStatus,
  terminate,
} from './api.ts'
import { type ApiLoad, callersOf, longestGap, startApiLoad } from './api-load.ts'
import { createProbes, ensureFleet, type Fleet, type Probes } from './fleet.ts'
import { repairLab, waitUntilHealthy } from './lab-health.ts'
import { type FaultWindow, type Loss, lossesOf, lossLines } from './probe-losses.ts'

const BASELINE_MS = 4000
const AFTER_MS = 2000
/** Packets that were sent this shortly before may still arrive. */
const IN_FLIGHT_MS = 300
const CONVERGE_MS = 150_000
const KNOWN_MS = 5000
const KNOWN_PATIENCE_MS = 20_000
const READ_GAP_MS = 1000
const WRITE_GAP_MS = 4000
const ATTEMPT_MS = 5000

/** A figure that only this drill measures. */
export interface Figure {
  readonly label: string
  readonly value: number
  readonly unit: 'ms' | '%' | ''
  /** The maximum. */
  readonly limit?: number
}

interface Losses {
  readonly packets: Loss
  readonly dns: Loss
  readonly dhcp: Loss
}

export interface DrillRow {
  readonly name: string
  /** How often it was carried out. */
  readonly rounds: number
  /** Losses of instances that the fault should not affect, and of the others. */
  readonly others: Losses
  readonly own: Losses
  /** Of a client with a list of all hosts. */
  readonly readGapMs: number
  readonly writeGapMs: number
  /** Time from the fault until every other host reported it; null if no host was lost. */
  readonly knownMs: number | null
  /** Time from the end of the fault until the lab was healthy; null when it was not in time. */
  readonly convergedMs: number | null
  readonly figures: readonly Figure[]
  /** What remained, existed twice or was missing in the end. */
  readonly differences: readonly string[]
  /** Missed targets, in words. */
  readonly missed: readonly string[]
  readonly notes: readonly string[]
  /** The machine during the drill: its load average, and what was lost before the fault. */
  readonly machine: { readonly load: number; readonly lostBefore: number; readonly seconds: number }
}

export interface DrillContext {
  readonly lab: Lab
  readonly clients: readonly ApiClient[]
  /** A client with long timeouts, for the drill's own requests. */
  readonly list: ListClient
  readonly image: string
  readonly fleet: Fleet
  readonly probes: Probes
  readonly api: ApiLoad
  progress(line: string): void
  /** From now until closed (or the end), losses of this host do not count. */
  excuse(host: string, what: FaultWindow['what']): () => void
  /** The fault begins now. */
  fault(): void
  /** The fault ends now. From here on everything must recover. */
  healed(): void
  /** Waits until all other hosts report an instance of this one as impaired. */
  untilLossIsKnown(host: string): Promise<void>
  figure(figure: Figure): void
  note(text: string): void
}

export interface Drill {
  readonly name: string
  /** What is done, in one or two sentences of plain English. */
  readonly about: string
  /** What happens then, for the manual: one paragraph. */
  readonly answer: string
  /** Whether reads and writes through the list must meet the targets for the loss of one host. */
  readonly holdsApi: boolean
  /** How long it may take with everything around it, where that is more than for most. */
  readonly limitMs?: number
  /** Before the load starts. */
  prepare?(lab: Lab): Promise<void>
  run(context: DrillContext): Promise<void>
  /** After everything, even after a failure. */
  cleanUp?(lab: Lab): Promise<void>
}

export type Progress = (line: string) => void

/**
 * Runs one drill in a healthy lab. Throws only when the drill could not be run.
 */
export async function runDrill(drill: Drill, lab: Lab, progress: Progress): Promise<DrillRow> {
  const began = performance.now()
  const leaveOutside = lab.outside.enter()
  await drill.prepare?.(lab)
  try {
    const credentials = await labCredentials(lab)
    const clients = lab.hosts.map(({ name }) => clientOf(lab, name, credentials))
    const list = listClient(clients, ATTEMPT_MS)
    const image = await sampleImage(list)
    const machine = canRunMachines() ? await machineImage(list, lab.hosts) : null
    progress(
      `on every host two containers, ${machine === null ? 'no' : 'a'} virtual machine, and a container in each of two VPCs`,
    )
    const fleet = await ensureFleet(lab, list, { container: image, machine })
    const { found } = await waitUntilHealthy(lab, CONVERGE_MS)
    if (found.length > 0) throw new Error(`the lab is not healthy: ${found.join('; ')}`)
    const row = await underLoad(drill, { lab, clients, list, image, fleet, progress })
    for (const { ec2 } of clients) ec2.destroy()
    const seconds = Math.round((performance.now() - began) / 1000)
    return { ...row, machine: { ...row.machine, seconds } }
  } finally {
    leaveOutside()
    await drill.cleanUp?.(lab)
  }
}

type Setting = Pick<DrillContext, 'lab' | 'clients' | 'list' | 'image' | 'fleet' | 'progress'>

async function underLoad(drill: Drill, setting: Setting): Promise<DrillRow> {
  const { lab, fleet, clients, progress } = setting
  const probes = createProbes(lab, fleet)
  for (const { name } of lab.hosts) await probes.attach(name)
  // On an instance of the host that only one drill removes.
  const api = startApiLoad(clients, { instance: fleet.on('h2')[0].id, group: fleet.group })
  try {
    await delay(BASELINE_MS)
    const log = new Protocol()
    const lostBefore = log.lostBefore(probes)
    progress(`${drill.about} (lost before: ${lostBefore})`)
    log.begin()
    const trouble = await drill.run(log.context({ ...setting, probes, api })).then(
      () => [],
      (error: unknown) => [messageOf(error)],
    )
    await repairLab(lab)
    if (log.healedAt === null) log.healedAt = performance.now()
    progress('waiting until the lab is healthy')
    const { at, found } = await waitUntilHealthy(lab, CONVERGE_MS)
    log.closeExcuses()
    const convergedMs = at === null ? null : Math.max(0, at - log.healedAt)
    await delay(AFTER_MS)
    const end = performance.now()
    const load = loadavg()[0] ?? 0
    probes.stop()
    await api.stop()
    // Packets under way may still arrive.
    await delay(AFTER_MS)
    const left = await clear(setting, found)
    const row = log.row(drill, {
      probes,
      api,
      end,
      convergedMs,
      differences: [...trouble, ...left],
    })
    return { ...row, machine: { load, lostBefore, seconds: 0 } }
  } finally {
    probes.close()
    await api.stop()
  }
}

/** Terminates what the drill has launched. That must leave nothing either. */
async function clear(
  { lab, list, fleet }: Setting,
  found: readonly string[],
): Promise<readonly string[]> {
  if (found.length > 0) return found
  const keep = new Set(fleet.members.map(({ id }) => id))
  const surplus = (await describe(list)).flatMap(({ InstanceId = '' }) =>
    keep.has(InstanceId) ? [] : [InstanceId],
  )
  if (surplus.length === 0) return []
  await terminate(list, surplus)
  return (await waitUntilHealthy(lab, CONVERGE_MS)).found
}

/** Records the course of one drill. */
class Protocol {
  readonly #excuses: FaultWindow[] = []
  readonly #figures: Figure[] = []
  readonly #notes: string[] = []
  #beganAt = performance.now()
  #faultAt: number | null = null
  #knownMs: number | null = null
  healedAt: number | null = null

  begin(): void {
    this.#beganAt = performance.now()
  }

  lostBefore({ series }: Probes): number {
    const settled = performance.now() - 1000
    return series.reduce(
      (sum, { sentAt, answeredAt }) =>
        sum + sentAt.filter((at, i) => at < settled && Number.isNaN(answeredAt[i])).length,
      0,
    )
  }

  closeExcuses(): void {
    for (const excuse of this.#excuses) excuse.to ??= performance.now()
  }

  context(setting: Setting & Pick<DrillContext, 'probes' | 'api'>): DrillContext {
    const { fleet, clients, progress } = setting
    return {
      ...setting,
      excuse: (host, what) => {
        const excuse: FaultWindow = { host, what, from: performance.now() - IN_FLIGHT_MS, to: null }
        this.#excuses.push(excuse)
        return () => {
          excuse.to = performance.now()
        }
      },
      fault: () => {
        this.#faultAt = performance.now()
      },
      healed: () => {
        this.healedAt = performance.now()
      },
      untilLossIsKnown: async (host) => {
        const { id } = fleet.on(host)[0]
        const deadline = performance.now() + KNOWN_PATIENCE_MS
        const others = clients.filter((client) => client.host !== host)
        await Promise.all(
          others.map(async (client) => {
            while ((await systemStatus(client, id)) !== 'impaired' && performance.now() < deadline)
              await delay(100)
          }),
        )
        this.#knownMs = performance.now() - (this.#faultAt ?? 0)
        progress(`the loss is known after ${(this.#knownMs / 1000).toFixed(1)} s`)
      },
      figure: (figure) => this.#figures.push(figure),
      note: (text) => this.#notes.push(text),
    }
  }

  row(
    drill: Drill,
    seen: {
      readonly probes: Probes
      readonly api: ApiLoad
      readonly end: number
      readonly convergedMs: number | null
      readonly differences: readonly string[]
    },
  ): Omit<DrillRow, 'machine'> {
    const { probes, api, end, convergedMs, differences } = seen
    const from = this.#beganAt
    const zero = this.#faultAt ?? from
    const kinds = ['packets', 'dns', 'dhcp'] as const
    const losses = kinds.map((kind) => lossesOf(probes.series, kind, from, this.#excuses))
    const [packets, dns, dhcp] = losses
    if (packets === undefined || dns === undefined || dhcp === undefined) throw new Error('kinds')
    const gap = (kind: 'read' | 'write', host: string | null) =>
      callersOf(api, kind, host)
        .map((caller) => longestGap(caller, api, zero, end))
        .reduce((a, b) => (b.ms > a.ms ? b : a))
    const gapLine = (kind: 'read' | 'write', host: string | null) => {
      const { ms, from: at, failures } = gap(kind, host)
      const where = host === null ? 'the list' : host
      return `longest gap of ${kind}s at ${where}: ${Math.round(ms)} ms from ${((at - zero) / 1000).toFixed(2)} s (${failures.join(', ') || 'none failed'})`
    }
    const hosts = [null, ...new Set(api.callers.flatMap(({ host }) => host ?? []))]
    const gapLines = hosts.flatMap((host) => [gapLine('read', host), gapLine('write', host)])
    const result = {
      name: drill.name,
      rounds: 1,
      others: { packets: packets.others, dns: dns.others, dhcp: dhcp.others },
      own: { packets: packets.own, dns: dns.own, dhcp: dhcp.own },
      readGapMs: gap('read', null).ms,
      writeGapMs: gap('write', null).ms,
      knownMs: this.#knownMs,
      convergedMs,
      figures: this.#figures,
      differences,
      notes: [...this.#notes, ...lossLines(probes.series, zero), ...gapLines],
    }
    return { ...result, missed: missedTargets(result, drill.holdsApi) }
  }
}

/** The targets that a row misses, in words. */
function missedTargets(
  row: Omit<DrillRow, 'machine' | 'missed'>,
  holdsApi: boolean,
): readonly string[] {
  const { others, readGapMs, writeGapMs, knownMs, convergedMs, figures, differences } = row
  const missed: string[] = []
  const atMost = (what: string, value: number, limit: number, unit: string) => {
    if (value > limit) missed.push(`${what}: ${Math.round(value)}${unit}, at most ${limit}${unit}`)
  }
  atMost('packets lost by others', others.packets.lost, 0, '')
  atMost('DNS queries lost by others', others.dns.lost, 0, '')
  atMost('DHCP renewals lost by others', others.dhcp.lost, 0, '')
  if (holdsApi) {
    atMost('gap of API reads', readGapMs, READ_GAP_MS, ' ms')
    atMost('gap of API writes', writeGapMs, WRITE_GAP_MS, ' ms')
  }
  if (knownMs !== null) atMost('time until the loss was known', knownMs, KNOWN_MS, ' ms')
  for (const { label, value, unit, limit } of figures)
    if (limit !== undefined) atMost(label, value, limit, unit === '' ? '' : ` ${unit}`)
  if (convergedMs === null) missed.push('it did not become whole again')
  return [...missed, ...differences]
}
