/**
 * What one instance or one client can use up, and the impact on its neighbours. In a lab of one
 * host, a hostile instance (as root) or client attacks one shared resource after the other, while
 * another instance is measured.
 */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { messageOf } from '../../../src/model/errors.ts'
import { createLab, type Lab } from '../../lab/lab.ts'
import { untilReady } from '../../lab/ready.ts'
import { must, until } from '../../lab/run.ts'
import {
  clientOf,
  describe,
  type ListClient,
  labCredentials,
  launch,
  listClient,
  sampleImage,
} from '../api.ts'
import { containersOf, netnsOf } from '../host-state.ts'
import { readRecords } from '../records.ts'
import { apiAttacks } from './api-attacks.ts'
import type { Attack, AttackContext, Place } from './attack.ts'
import { guestAttacks } from './guest-attacks.ts'
import { type Answers, type NeighbourImpact, startWatch } from './impact.ts'
import { networkAttacks } from './network-attacks.ts'
import { SLOW_IMAGES } from './slow-images.ts'

export const NEIGHBOURS_LAB = 'neighbours'
const HOST = 'h1'
const DISK_MIB = 4096
const INSTANCES = 3
const RUNNING_MS = 120_000
const ATTEMPT_MS = 10_000
const QUIET_MS = 5000
/** A pause after each attack, so that its effects do not count for the next one. */
const SETTLE_MS = 2000

/** All attacks in their order. Those that may take the host down come last. */
export const attacks: readonly Attack[] = [
  ...networkAttacks,
  ...apiAttacks.map((attack) => ({ ...attack, run: runApart(attack.name) })),
  ...guestAttacks,
]

const API_CLIENT = join(import.meta.dirname, 'api-client.ts')
const API_ATTACK_MS = 90_000

/** An attack on the API, in its own process outside the host. */
function runApart(name: string): Attack['run'] {
  return ({ lab, host }) =>
    must([process.execPath, API_CLIENT, lab.name, host.name, name], { timeoutMs: API_ATTACK_MS })
}

/** The maximum impact on a neighbour. */
const TARGETS = { lost: 0, dnsMs: 20, dhcpMs: 20, apiMs: 250, leaseLapses: 0 } as const

export interface NeighbourRow {
  readonly name: string
  readonly shared: string
  readonly tried: string
  /** What the attacker achieved, in words. */
  readonly got: string
  readonly noticed: NeighbourImpact
  readonly missed: readonly string[]
  /** Load average of the machine at the end. */
  readonly load: number
}

type Progress = (line: string) => void

/** Tries all attacks, or those with these names. */
export async function runNeighbours(
  options: { readonly lab: string; readonly only: readonly string[] },
  progress: Progress,
): Promise<readonly NeighbourRow[]> {
  const lab = await createLab({
    name: options.lab,
    hosts: 1,
    diskMiB: DISK_MIB,
    config: { images: { reach: [SLOW_IMAGES] } },
    progress,
  })
  await untilReady(lab, { progress })
  const leaveOutside = lab.outside.enter()
  try {
    const { context, watched } = await populate(lab, progress)
    const watch = await startWatch(context, watched)
    const rows: NeighbourRow[] = []
    const measure = async (attack: Attack) => {
      let got = ''
      progress(`== ${attack.name}`)
      const noticed = await watch.during(async () => {
        got = await attack.run(context).catch((error: unknown) => `FAILED: ${messageOf(error)}`)
      })
      const { name, shared, tried } = attack
      const missed = missedTargets(noticed, attack === QUIET ? noticed : rows[0]?.noticed)
      const failed = got.startsWith('FAILED') ? ['the attack could not be carried out'] : []
      const load = loadavg()[0] ?? 0
      rows.push({ name, shared, tried, got, noticed, missed: [...missed, ...failed], load })
      progress(`${got}; ${[...missed, ...failed].join('; ') || 'nothing noticed'}`)
      await delay(SETTLE_MS)
    }
    try {
      await measure(QUIET)
      const chosen = attacks.filter(
        ({ name }) => options.only.length === 0 || options.only.includes(name),
      )
      for (const attack of chosen) await measure(attack)
    } finally {
      watch.close()
    }
    return rows
  } finally {
    leaveOutside()
  }
}

const QUIET: Attack = {
  name: 'quiet',
  shared: 'nothing',
  tried: 'nothing: for comparison',
  run: async () => {
    await delay(QUIET_MS)
    return 'nothing'
  },
}

/**
 * Three containers in one group on the host: the measured one, its neighbour and the hostile one.
 */
async function populate(lab: Lab, progress: Progress) {
  const credentials = await labCredentials(lab)
  const client = clientOf(lab, HOST, credentials)
  const list = listClient([client], ATTEMPT_MS)
  const ids = await threeRunning(list)
  progress(`${INSTANCES} instances run`)
  const [watched, neighbour, mallory] = await Promise.all(ids.map((id) => placeOf(lab, id)))
  if (watched === undefined || neighbour === undefined || mallory === undefined)
    throw new Error('three instances')
  const host = lab.host(HOST)
  const context: AttackContext = { lab, host, mallory, neighbour }
  return { context, watched }
}

async function threeRunning(list: ListClient): Promise<readonly string[]> {
  const image = await sampleImage(list)
  if ((await describe(list)).length === 0)
    await until('an instance can be launched', RUNNING_MS, async () =>
      launch(list, image, INSTANCES, 'neighbours').catch(() => null),
    )
  return await until('all instances run', RUNNING_MS, async () => {
    const all = await describe(list)
    const running = all.filter(({ State }) => State?.Name === 'running')
    return running.length < INSTANCES ? null : running.map(({ InstanceId = '' }) => InstanceId)
  })
}

async function placeOf(lab: Lab, id: string): Promise<Place> {
  const nic = (await readRecords(lab))?.nics.find(({ instance }) => instance === id)
  const container = (await containersOf(lab, HOST)).find(({ instance }) => instance === id)
  if (nic === undefined || container === undefined) throw new Error(`${id} is not there`)
  const netnsFile = await netnsOf(lab, HOST, container.pid)
  const groups = await readFile(netnsFile.replace(/ns\/net$/, 'cgroup'), 'utf8')
  return {
    id,
    ip: nic.ip,
    mac: nic.mac,
    netnsFile,
    cpuGroup: groupOf(groups, 'cpu'),
    processGroup: groupOf(groups, 'pids'),
  }
}

/** The directory of a controller's group, from `/proc/PID/cgroup` (cgroups(7)). */
function groupOf(groups: string, controller: string): string | null {
  for (const line of groups.trim().split('\n')) {
    const [, controllers = '', path = ''] = line.split(':')
    const isV1 = controllers.split(',').includes(controller)
    const directory = isV1 ? `/sys/fs/cgroup/${controller}${path}` : `/sys/fs/cgroup${path}`
    if ((isV1 || controllers === '') && existsSync(`${directory}/cgroup.procs`)) return directory
  }
  return null
}

/**
 * The missed targets, in words. If the machine is so busy that it misses a target without an
 * attack, the limit is twice the value measured then.
 */
function missedTargets(
  { packets, dns, dhcp, api, lease }: NeighbourImpact,
  quiet: NeighbourImpact | undefined,
): readonly string[] {
  const missed: string[] = []
  const atMost = (what: string, value: number, limit: number, unit = '') => {
    if (value > limit)
      missed.push(`${what}: ${Math.round(value)}${unit}, at most ${Math.round(limit)}${unit}`)
  }
  const within = (what: string, { p99Ms }: Answers, target: number, then: Answers | undefined) =>
    atMost(what, p99Ms, (then?.p99Ms ?? 0) > target ? 2 * (then?.p99Ms ?? 0) : target, ' ms')
  atMost('packets lost', packets.lost, TARGETS.lost)
  atMost('DNS queries lost', dns.lost, TARGETS.lost)
  atMost('DHCP renewals lost', dhcp.lost, TARGETS.lost)
  atMost('API requests failed', api.lost, TARGETS.lost)
  within('DNS p99', dns, TARGETS.dnsMs, quiet?.dns)
  within('DHCP p99', dhcp, TARGETS.dhcpMs, quiet?.dhcp)
  within('API p99', api, TARGETS.apiMs, quiet?.api)
  atMost('looks that found the lease run out', lease.lapsed, TARGETS.leaseLapses)
  return missed
}
