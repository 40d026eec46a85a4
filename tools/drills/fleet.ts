/**
 * The instances of a drill, and the probes between them: on each host two containers and a virtual
 * machine in the default VPC, and a container in each of two VPCs with the same range. The first
 * container of each host and those of one of the VPCs have floating IPs.
 */

import type { Lab } from '../lab/lab.ts'
import { OUTSIDE_SERVER } from '../lab/layout.ts'
import { until } from '../lab/run.ts'
import { describe, type ListClient, launch, terminate } from './api.ts'
import { containersOf, netnsOf } from './host-state.ts'
import { newSeries, type ProbeKind, type Series } from './probe-losses.ts'
import { type Prober, startDnsQueries, startPings, startRenewals } from './probes.ts'
import { readRecords } from './records.ts'
import {
  ensureFloatingIps,
  ensureTenants,
  TENANT_GATEWAY,
  TENANTS,
  type Tenant,
  type TenantVpc,
} from './tenants.ts'

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
/** Of the VPCs, and from outside. */
const TENANT_PING_EVERY_MS = 50
const DNS_EVERY_MS = 100
const TENANT_DNS_EVERY_MS = 200
const DHCP_EVERY_MS = 1000
/** The lab's subnet is the default one. */
const GATEWAY = '172.31.0.1'
const ZONE = 'atoll.internal'
/** Of this process, which is outside. */
const OWN_NETNS = '/proc/self/ns/net'

interface Member {
  readonly id: string
  readonly host: string
  readonly ip: string
  readonly mac: string
  /** Its floating IP. */
  readonly publicIp: string | null
}

/** Instances of which each host has the same number. */
interface Kind {
  readonly image: string
  readonly count: number
  /** Where they are; null: in the default VPC. */
  readonly tenant: TenantVpc | null
}

/** The images of the fleet. Without machines where they cannot run. */
export interface FleetImages {
  readonly container: string
  readonly machine: string | null
}

export interface Fleet {
  readonly members: readonly Member[]
  /** The group of the instances of one VPC. */
  readonly group: string
  /** The containers. */
  on(host: string): readonly [Member, Member]
  /** The virtual machine, if the fleet has any. */
  machineOn(host: string): Member | null
  /** The container in a VPC. */
  tenantOn(tenant: Tenant, host: string): Member
}

/**
 * Creates exactly these running instances on each host: launches missing ones and terminates
 * others.
 */
export async function ensureFleet(lab: Lab, list: ListClient, images: FleetImages): Promise<Fleet> {
  const tenants = await ensureTenants(list)
  const kinds: Kind[] = [
    { image: images.container, count: CONTAINERS, tenant: null },
    ...TENANTS.map((name) => ({ image: images.container, count: 1, tenant: tenants[name] })),
  ]
  if (images.machine !== null) kinds.push({ image: images.machine, count: MACHINES, tenant: null })
  const settle = () =>
    until('every instance runs', RUNNING_MS, async () => {
      const all = await describe(list)
      return all.every((one) => one.State?.Name === 'running') ? all : null
    })
  for (let attempt = 0; ; attempt++) {
    await settle()
    const records = await readRecords(lab)
    const { instances = [] } = records ?? {}
    const vpcOf = new Map(records?.nics.map(({ instance, vpc }) => [instance, vpc]))
    const tenantOf = (id: string) =>
      Object.values(tenants).find(({ vpc }) => vpc === vpcOf.get(id)) ?? null
    const kept = new Set<string>()
    const missing = new Map<Kind, number>()
    for (const kind of kinds)
      for (const { name } of lab.hosts) {
        const there = instances.filter(
          ({ id, host, image }) =>
            host === name && image === kind.image && tenantOf(id) === kind.tenant,
        )
        for (const { id } of there.slice(0, kind.count)) kept.add(id)
        missing.set(kind, (missing.get(kind) ?? 0) + Math.max(0, kind.count - there.length))
      }
    const surplus = instances.flatMap(({ id }) => (kept.has(id) ? [] : id))
    const isComplete = [...missing.values()].every((count) => count === 0)
    if (surplus.length === 0 && isComplete) {
      const fleet = await fleetOf(lab, images, tenants)
      const withFloatingIp = lab.hosts.flatMap(({ name }) => [
        fleet.on(name)[0].id,
        fleet.tenantOn('red', name).id,
      ])
      await ensureFloatingIps(list, withFloatingIp)
      return await fleetOf(lab, images, tenants)
    }
    if (attempt === LAUNCHES) throw new Error('placement does not give every host its instances')
    await terminate(list, surplus)
    // Twice the missing number, because some are placed on hosts that need none.
    for (const [{ image, tenant }, count] of missing) {
      const token = `fleet-${image}-${tenant?.vpc}-${Date.now()}`
      if (count > 0)
        await launch(
          list,
          image,
          2 * count,
          token,
          tenant === null ? {} : { subnet: tenant.subnet },
        )
    }
  }
}

async function fleetOf(
  lab: Lab,
  images: FleetImages,
  tenants: Readonly<Record<Tenant, TenantVpc>>,
): Promise<Fleet> {
  const records = await readRecords(lab)
  const floats = new Map(records?.addresses.map(({ nic, ip }) => [nic, ip]))
  const own = new Set(Object.values(tenants).map(({ vpc }) => vpc))
  const nics = new Map(records?.nics.map((nic) => [nic.instance, nic]))
  const members = (records?.instances ?? []).map(({ id, host, image }) => {
    const nic = nics.get(id)
    if (nic === undefined) throw new Error(`${id} has no NIC`)
    const { ip, mac, vpc } = nic
    return { id, host, image, ip, mac, vpc, publicIp: floats.get(nic.id) ?? null }
  })
  const of = (host: string, image: string | null) =>
    members.filter((one) => one.host === host && one.image === image && !own.has(one.vpc))
  return {
    members,
    group: tenants.red.group,
    on(host) {
      const [first, second] = of(host, images.container)
      if (first === undefined || second === undefined) throw new Error(`${host} has not two`)
      return [first, second]
    },
    machineOn: (host) => of(host, images.machine)[0] ?? null,
    tenantOn(tenant, host) {
      const found = members.find((one) => one.host === host && one.vpc === tenants[tenant].vpc)
      if (found === undefined) throw new Error(`${host} has nothing of ${tenant}`)
      return found
    },
  }
}

export interface Probes {
  readonly series: readonly Series[]
  /** Starts the probes from instances of this host, or restarts them after it was off. */
  attach(host: string): Promise<void>
  /** Pings an address from outside, for which these hosts are needed, until the probes stop. */
  fromOutside(label: string, hosts: readonly string[], address: string): Promise<void>
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
    const containers = await containersOf(lab, host)
    const placeOf = async (member: Member) => {
      const pid = containers.find(({ instance }) => instance === member.id)?.pid ?? 0
      return { ...member, netnsFile: await netnsOf(lab, host, pid) }
    }
    const place = await placeOf(from)
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
    for (const tenant of TENANTS)
      running.get(host)?.push(...(await tenantProbes({ lab, fleet, add, placeOf }, tenant, host)))
    for (const { publicIp } of [from, fleet.tenantOn('red', host)])
      if (publicIp !== null) running.get(host)?.push(await fromOutside(host, [host], publicIp))
  }

  const fromOutside = (label: string, hosts: readonly string[], address: string) => {
    const series = add('packets', `outside to ${address} on ${label}`, hosts)
    return startPings(series, TENANT_PING_EVERY_MS, { netnsFile: OWN_NETNS }, address)
  }

  const each = (work: (prober: Prober) => void) => {
    for (const prober of [...running.values()].flat()) work(prober)
  }
  return {
    series,
    attach,
    fromOutside: async (label, hosts, address) => {
      running.set(label, [await fromOutside(label, hosts, address)])
    },
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

/** Probes from the instance of a VPC on a host, to the other hosts and to the resolver. */
async function tenantProbes(
  parts: {
    readonly lab: Lab
    readonly fleet: Fleet
    readonly add: (kind: ProbeKind, label: string, hosts: readonly string[]) => Series
    readonly placeOf: (member: Member) => Promise<Member & { readonly netnsFile: string }>
  },
  tenant: Tenant,
  host: string,
): Promise<readonly Prober[]> {
  const { lab, fleet, add, placeOf } = parts
  const place = await placeOf(fleet.tenantOn(tenant, host))
  const all = lab.hosts.map(({ name }) => fleet.tenantOn(tenant, name))
  const names = all.map(({ id, ip }) => ({ name: `${id}.${ZONE}`, ip }))
  const dns = add('dns', `${host} in ${tenant}`, [host])
  const pings = all
    .filter((one) => one.host !== host)
    .map((one) => {
      const label = `${host} to ${one.host} in ${tenant}`
      const series = add('packets', label, [host, one.host])
      return startPings(series, TENANT_PING_EVERY_MS, place, one.ip)
    })
  return [
    ...(await Promise.all(pings)),
    await startDnsQueries(dns, TENANT_DNS_EVERY_MS, place, TENANT_GATEWAY, names),
  ]
}
