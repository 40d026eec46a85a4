/**
 * The instances of a drill, two containers and a virtual machine on each host, and the probes
 * between them.
 */

import type { Lab } from '../lab/lab.ts'
import { OUTSIDE_SERVER } from '../lab/layout.ts'
import { until } from '../lab/run.ts'
import { describe, type ListClient, launch, terminate } from './api.ts'
import { containersOf, netnsOf } from './host-state.ts'
import { newSeries, type ProbeKind, type Series } from './probe-losses.ts'
import { type Prober, startDnsQueries, startPings, startRenewals } from './probes.ts'
import { readRecords } from './records.ts'

/** Containers on each host. The first one sends probes. */
const CONTAINERS = 2
const MACHINES = 1
const RUNNING_MS = 90_000
/**
 * Placement chooses randomly among nearly equal hosts. This limits the attempts to reach hosts that
 * lack instances.
 */
const LAUNCHES = 12
const PING_EVERY_MS = 10
/** An emulated guest answers slowly. */
const MACHINE_PING_EVERY_MS = 100
const DNS_EVERY_MS = 100
const DHCP_EVERY_MS = 1000
/** The lab's subnet is the default one. */
const GATEWAY = '172.31.0.1'
const ZONE = 'atoll.internal'

interface Member {
  readonly id: string
  readonly host: string
  readonly ip: string
  readonly mac: string
}

/** The images of the fleet. Without machines where they cannot run. */
export interface FleetImages {
  readonly container: string
  readonly machine: string | null
}

export interface Fleet {
  readonly members: readonly Member[]
  /** The containers. */
  on(host: string): readonly [Member, Member]
  /** The virtual machine, if the fleet has any. */
  machineOn(host: string): Member | null
}

/**
 * Creates exactly these running instances on each host: launches missing ones and terminates
 * others.
 */
export async function ensureFleet(lab: Lab, list: ListClient, images: FleetImages): Promise<Fleet> {
  const perHost = new Map([[images.container, CONTAINERS]])
  if (images.machine !== null) perHost.set(images.machine, MACHINES)
  const settle = () =>
    until('every instance runs', RUNNING_MS, async () => {
      const all = await describe(list)
      return all.every((one) => one.State?.Name === 'running') ? all : null
    })
  for (let attempt = 0; ; attempt++) {
    await settle()
    const { instances = [] } = (await readRecords(lab)) ?? {}
    const kept = new Set<string>()
    const missing = new Map<string, number>()
    for (const [image, count] of perHost)
      for (const { name } of lab.hosts) {
        const there = instances.filter((one) => one.host === name && one.image === image)
        for (const { id } of there.slice(0, count)) kept.add(id)
        missing.set(image, (missing.get(image) ?? 0) + Math.max(0, count - there.length))
      }
    const surplus = instances.flatMap(({ id }) => (kept.has(id) ? [] : id))
    const isComplete = [...missing.values()].every((count) => count === 0)
    if (surplus.length === 0 && isComplete) return await fleetOf(lab, images)
    if (attempt === LAUNCHES) throw new Error('placement does not give every host its instances')
    await terminate(list, surplus)
    // Twice the missing number, because some are placed on hosts that need none.
    for (const [image, count] of missing)
      if (count > 0) await launch(list, image, 2 * count, `fleet-${image}-${Date.now()}`)
  }
}

async function fleetOf(lab: Lab, images: FleetImages): Promise<Fleet> {
  const records = await readRecords(lab)
  const nics = new Map(records?.nics.map((nic) => [nic.instance, nic]))
  const members = (records?.instances ?? []).map(({ id, host, image }) => {
    const nic = nics.get(id)
    if (nic === undefined) throw new Error(`${id} has no NIC`)
    return { id, host, image, ip: nic.ip, mac: nic.mac }
  })
  const of = (host: string, image: string | null) =>
    members.filter((one) => one.host === host && one.image === image)
  return {
    members,
    on(host) {
      const [first, second] = of(host, images.container)
      if (first === undefined || second === undefined) throw new Error(`${host} has not two`)
      return [first, second]
    },
    machineOn: (host) => of(host, images.machine)[0] ?? null,
  }
}

export interface Probes {
  readonly series: readonly Series[]
  /** Starts the probes from instances of this host, or restarts them after it was off. */
  attach(host: string): Promise<void>
  /** Ends the probes from this host. */
  detach(host: string): void
  /** Sends no more probes. */
  stop(): void
  close(): void
}

/** Probes of a fleet. None run before `attach`. */
export function createProbes(lab: Lab, fleet: Fleet): Probes {
  const series: Series[] = []
  const running = new Map<string, Prober[]>()
  const add = (kind: ProbeKind, label: string, hosts: readonly string[]): Series => {
    const one = newSeries(kind, label, hosts)
    series.push(one)
    return one
  }

  async function attach(host: string): Promise<void> {
    const [from, neighbour] = fleet.on(host)
    const others = lab.hosts
      .filter(({ name }) => name !== host)
      .map(({ name }) => fleet.on(name)[0])
    const container = (await containersOf(lab, host)).find(({ instance }) => instance === from.id)
    const place = { ...from, netnsFile: await netnsOf(lab, host, container?.pid ?? 0) }
    const ping = (label: string, hosts: readonly string[], ip: string, everyMs = PING_EVERY_MS) =>
      startPings(add('packets', `${host} to ${label}`, hosts), everyMs, place, ip)
    const machines = lab.hosts.flatMap(({ name }) => fleet.machineOn(name) ?? [])
    const names = [from, neighbour, ...others].map(({ id, ip }) => ({ name: `${id}.${ZONE}`, ip }))
    running.set(host, [
      await ping('its neighbour', [host], neighbour.ip),
      ...(await Promise.all(others.map((one) => ping(one.host, [host, one.host], one.ip)))),
      ...(await Promise.all(
        machines.map((one) =>
          ping(`the machine on ${one.host}`, [host, one.host], one.ip, MACHINE_PING_EVERY_MS),
        ),
      )),
      await ping('outside', [host], OUTSIDE_SERVER),
      await startDnsQueries(add('dns', host, [host]), DNS_EVERY_MS, place, GATEWAY, names),
      await startRenewals(add('dhcp', host, [host]), DHCP_EVERY_MS, place, GATEWAY),
    ])
  }

  const each = (work: (prober: Prober) => void) => {
    for (const prober of [...running.values()].flat()) work(prober)
  }
  return {
    series,
    attach,
    detach(host) {
      for (const prober of running.get(host) ?? []) prober.close()
      running.delete(host)
    },
    stop: () => each((prober) => prober.stop()),
    close() {
      each((prober) => prober.close())
      running.clear()
    },
  }
}
