/** What a drill must not leave behind: objects without an instance, duplicates, missing objects. */

import { parseId } from '../../src/model/ids.ts'
import { NIC_LINK_PREFIX, nicLinkName } from '../../src/model/names.ts'
import type { LabHost } from '../lab/host.ts'
import type { Lab } from '../lab/lab.ts'
import {
  type KernelView,
  kernelOf,
  netnsOf,
  vpcNetnsOf,
  vpcsOf,
  type Workload,
  workloadsOf,
} from './host-state.ts'
import { type Records, readRecords } from './records.ts'
import { answersPing } from './sockets.ts'

const PING_MS = 300

/** Every difference between the records and all hosts, in words. All hosts must be on. */
export async function differences(lab: Lab): Promise<readonly string[]> {
  const records = await readRecords(lab)
  if (records === null) return ['no database answers']
  const perHost = await Promise.all(lab.hosts.map((host) => hostDifferences(lab, host, records)))
  return [...recordDifferences(records), ...perHost.flat(), ...(await doubled(lab))]
}

function recordDifferences({ instances, nics, hosts, types }: Records): readonly string[] {
  const found: string[] = []
  const ids = new Set(instances.map(({ id }) => id))
  const addresses = new Map<string, string>()
  for (const { instance, ip, vpc } of nics) {
    if (!ids.has(instance)) found.push(`leaked: address ${ip} of ${instance}, which is no more`)
    if (addresses.has(`${vpc} ${ip}`)) found.push(`doubled: ${ip} of ${vpc} in the records`)
    addresses.set(`${vpc} ${ip}`, instance)
  }
  for (const { id, state, wanted } of instances)
    if (wanted === 'run' && state !== 'running') found.push(`missing: ${id} is ${state}`)
    else if (wanted === 'stop' && state !== 'stopped')
      found.push(`missing: ${id} is ${state}, not stopped`)
    else if (wanted === 'terminate') found.push(`leaked: ${id} is still ${state}`)
  const vcpusOf = new Map(types.map(({ name, vcpus }) => [name, vcpus]))
  for (const { name, usedVcpus, vcpus, state } of hosts) {
    if (state === 'forgotten') continue
    const sum = instances
      .filter(({ host }) => host === name)
      .reduce((total, { type }) => total + (vcpusOf.get(type) ?? 0), 0)
    if (sum !== usedVcpus)
      found.push(`leaked: ${name} has ${usedVcpus} vCPUs handed out, of which ${sum} are used`)
    if (usedVcpus > vcpus)
      found.push(`doubled: ${name} has ${usedVcpus} of ${vcpus} vCPUs handed out`)
  }
  return found
}

async function hostDifferences(
  lab: Lab,
  host: LabHost,
  records: Records,
): Promise<readonly string[]> {
  const { name } = host
  const own = new Map(
    records.instances.filter((one) => one.host === name).map((one) => [one.id, one]),
  )
  const networks = [null, ...(await vpcsOf(host).catch(() => []))]
  const [workloads, kernels] = await Promise.all([
    workloadsOf(lab, name).catch(() => null),
    Promise.all(networks.map((network) => kernelOf(host, network))).catch(() => null),
  ])
  if (workloads === null || kernels === null)
    return [`missing: ${name} or its Docker does not answer`]
  const found = namespaceDifferences(name, networks, records)
  for (const { kind, instance, running } of workloads) {
    const record = own.get(instance)
    if (record === undefined) found.push(`leaked: ${kind} of ${instance} on ${name}`)
    else if (running !== (record.wanted === 'run'))
      found.push(`missing: ${kind} of ${instance} on ${name} runs: ${running}`)
  }
  const there = new Set(workloads.map(({ instance }) => instance))
  const runs = (id: string) => own.get(id)?.wanted === 'run'
  for (const id of own.keys())
    if (runs(id) && !there.has(id)) found.push(`missing: workload of ${id} on ${name}`)
  return [
    ...found,
    ...kernels.flatMap((kernel, at) =>
      networkDifferences(name, kernel, recordsIn(records, networks[at] ?? null)),
    ),
    ...(await silent(lab, host, workloads, records)),
  ]
}

/** The number of the VPC of each NIC; null: it is in the host's own namespace. */
function networkOf({ vpcs }: Records): (nic: Records['nics'][number]) => number | null {
  const numbers = new Map(vpcs.map(({ id, network }) => [id, network]))
  return ({ vpc }) => numbers.get(vpc) ?? null
}

/** The records, with the NICs of one namespace only. */
function recordsIn(records: Records, network: number | null): Records {
  const of = networkOf(records)
  return {
    ...records,
    nics: records.nics.filter((nic) => of(nic) === network),
    // Packets for all of them come to the host's own namespace.
    addresses: network === null ? records.addresses : [],
  }
}

/** A VPC has a namespace where it has instances. */
function namespaceDifferences(
  host: string,
  networks: readonly (number | null)[],
  records: Records,
): string[] {
  const here = new Set(records.instances.flatMap((one) => (one.host === host ? one.id : [])))
  const own = records.nics.filter(({ instance }) => here.has(instance))
  const wanted = new Set(own.map(networkOf(records)))
  return [
    ...networks
      .filter((network) => network !== null && !wanted.has(network))
      .map((network) => `leaked: namespace of VPC ${network} on ${host}`),
    ...[...wanted]
      .filter((network) => !networks.includes(network))
      .map((network) => `missing: namespace of VPC ${network} on ${host}`),
  ]
}

/** Links, rules and routes. A stopped instance may have them. */
function networkDifferences(
  host: string,
  kernel: KernelView,
  { instances, nics, addresses: floating }: Records,
): readonly string[] {
  const found: string[] = []
  const byId = new Map(instances.map((one) => [one.id, one]))
  const linkOf = (nic: string) => {
    const id = parseId('eni', nic)
    return id === undefined ? nic : nicLinkName(id)
  }
  const own = nics.filter(({ instance }) => byId.get(instance)?.host === host)
  const links = new Set(own.map(({ id }) => linkOf(id)))
  const isNic = (link: string) => link.startsWith(NIC_LINK_PREFIX)
  for (const link of kernel.links.filter(isNic))
    if (!links.has(link)) found.push(`leaked: link ${link} on ${host}`)
  for (const link of kernel.ruleLinks)
    if (!links.has(link)) found.push(`leaked: rules for ${link} on ${host}`)
  for (const { id, instance } of own)
    if (byId.get(instance)?.wanted === 'run' && !kernel.links.includes(linkOf(id)))
      found.push(`missing: link ${linkOf(id)} of ${instance} on ${host}`)
  const addresses = new Set([...nics, ...floating].map(({ ip }) => ip))
  const routes = kernel.routes.filter((route) => !route.includes('/') && route !== 'default')
  for (const route of routes)
    if (!addresses.has(route)) found.push(`leaked: route to ${route} on ${host}`)
  for (const { ip, instance } of nics)
    if (byId.get(instance)?.wanted === 'run' && !routes.includes(ip))
      found.push(`missing: route to ${ip} on ${host}`)
  return found
}

/** Running workloads that do not answer a ping. */
async function silent(
  lab: Lab,
  { name }: LabHost,
  workloads: readonly Workload[],
  records: Records,
): Promise<readonly string[]> {
  const found: string[] = []
  const own = await netnsOf(lab, name, 1)
  for (const { instance, running } of workloads) {
    const nic = records.nics.find((one) => one.instance === instance)
    if (!running || nic === undefined) continue
    const network = networkOf(records)(nic)
    const from = network === null ? own : await vpcNetnsOf(lab, name, network)
    if (!(await answersPing(from, nic.ip, PING_MS).catch(() => false)))
      found.push(`missing: ${instance} does not answer on ${name}`)
  }
  return found
}

async function doubled(lab: Lab): Promise<readonly string[]> {
  const seen = new Map<string, string>()
  const found: string[] = []
  for (const { name } of lab.hosts) {
    for (const { instance } of await workloadsOf(lab, name).catch(() => [])) {
      const other = seen.get(instance)
      if (other !== undefined) found.push(`doubled: ${instance} is on ${other} and on ${name}`)
      seen.set(instance, name)
    }
  }
  return found
}
