/**
 * The actual state of a host: containers, virtual machines, links, routes and rules, read from
 * Docker and the kernel and not from Atoll.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import Docker from 'dockerode'
import { z } from 'zod'
import {
  INSTANCE_LABEL,
  machineName,
  namespaceName,
  networkOfNamespace,
} from '../../src/model/names.ts'
import { ruleLinks as namedIn } from '../kit/rule-links.ts'
import type { LabHost } from '../lab/host.ts'
import type { Lab } from '../lab/lab.ts'

const linksSchema = z.array(z.object({ ifname: z.string().optional() }))
const routesSchema = z.array(
  z.object({ dst: z.string(), dev: z.string().optional(), type: z.string().optional() }),
)

/** On each host's own disk. */
const MACHINES = '/var/lib/atoll/machines'
/** Far more than a busy engine takes. */
const ENGINE_MS = 30_000

export interface Workload {
  readonly kind: 'container' | 'machine'
  readonly instance: string
  readonly running: boolean
  /** Process id of its first process, as the host numbers it. 0 when it does not run. */
  readonly pid: number
}

/** The root directory of a running host, as this machine sees it. */
export async function rootOf(lab: Lab, host: string): Promise<string> {
  const layout = lab.layout.hosts.find((one) => one.name === host)
  const [pid = ''] = (await readFile(layout?.pidFile ?? '', 'utf8')).split(' ')
  return `/proc/${pid}/root`
}

/** The file of the network namespace of a host's process. */
export async function netnsOf(lab: Lab, host: string, pid: number): Promise<string> {
  return `${await rootOf(lab, host)}/proc/${pid}/ns/net`
}

/** The containers of a host's instances. */
export async function containersOf(lab: Lab, host: string): Promise<readonly Workload[]> {
  const socketPath = `${await rootOf(lab, host)}/run/docker.sock`
  const docker = new Docker({ socketPath, timeout: ENGINE_MS })
  const listed = await docker.listContainers({ all: true, filters: { label: [INSTANCE_LABEL] } })
  return Promise.all(
    listed.map(async ({ Id, Labels }) => {
      const { State } = await docker.getContainer(Id).inspect()
      const instance = Labels[INSTANCE_LABEL] ?? ''
      return { kind: 'container', instance, running: State.Running, pid: State.Pid } as const
    }),
  )
}

/** The virtual machines of a host's instances. */
async function machinesOf(lab: Lab, host: string): Promise<readonly Workload[]> {
  const root = await rootOf(lab, host)
  const instances = await readdir(join(root, MACHINES)).catch(() => [])
  const names = new Map(instances.map((id) => [machineName(join(MACHINES, id)), id]))
  const running = new Map<string, number>()
  for (const pid of (await readdir(`${root}/proc`)).filter((name) => /^\d+$/.test(name))) {
    const line = await readFile(`${root}/proc/${pid}/cmdline`, 'utf8').catch(() => '')
    const id = line.split('\0').flatMap((word) => names.get(word) ?? [])[0]
    if (id !== undefined) running.set(id, Number(pid))
  }
  return instances.map((instance) => ({
    kind: 'machine',
    instance,
    running: running.has(instance),
    pid: running.get(instance) ?? 0,
  }))
}

/** Containers and virtual machines of a host. */
export async function workloadsOf(lab: Lab, host: string): Promise<readonly Workload[]> {
  return [...(await containersOf(lab, host)), ...(await machinesOf(lab, host))]
}

/** Where a host has the names of VPCs' namespaces. */
const NAMESPACES = '/run/netns'

/** The file of the network namespace of a VPC on a host, as this machine sees it. */
export async function vpcNetnsOf(lab: Lab, host: string, network: number): Promise<string> {
  return `${await rootOf(lab, host)}${NAMESPACES}/${namespaceName(network)}`
}

/** The numbers of the VPCs that have a namespace on a host. */
export async function vpcsOf(host: LabHost): Promise<readonly number[]> {
  const names = await host.must(['sh', '-c', `ls ${NAMESPACES} 2>/dev/null || true`])
  return names.split('\n').flatMap((name) => networkOfNamespace(name) ?? [])
}

export interface KernelView {
  readonly links: readonly string[]
  /** Destinations of our unicast routes. */
  readonly routes: readonly string[]
  /** Links in rules, each once. */
  readonly ruleLinks: readonly string[]
}

/** The state of a host's kernel, in its own network namespace or in that of a VPC. */
export async function kernelOf(host: LabHost, network: number | null): Promise<KernelView> {
  const there =
    network === null ? [] : ['nsenter', `--net=${NAMESPACES}/${namespaceName(network)}`, '--']
  const [links, routes, rules] = await Promise.all([
    host.must([...there, 'ip', '-j', 'link']),
    host.must([...there, 'ip', '-j', 'route', 'show', 'table', 'all', 'proto', '167']),
    host.must([...there, 'nft', 'list', 'ruleset']),
  ])
  return {
    links: linksSchema.parse(JSON.parse(links)).flatMap(({ ifname }) => ifname ?? []),
    routes: routesSchema
      .parse(JSON.parse(routes || '[]'))
      .filter(({ type }) => type === undefined || type === 'unicast')
      .map(({ dst }) => dst),
    ruleLinks: [...new Set(namedIn(rules))],
  }
}
