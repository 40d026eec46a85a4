/** What is really there on a host: its containers, links, routes and rules, asked of Docker and the kernel and not of Atoll. */
import { readFile } from 'node:fs/promises'
import Docker from 'dockerode'
import { z } from 'zod'
import { INSTANCE_LABEL } from '../../src/model/names.ts'
import type { LabHost } from '../cluster/host.ts'
import type { Lab } from '../cluster/lab.ts'

const linksSchema = z.array(z.object({ ifname: z.string().optional() }))
const routesSchema = z.array(
  z.object({ dst: z.string(), dev: z.string().optional(), type: z.string().optional() }),
)

export interface Container {
  readonly instance: string
  readonly running: boolean
  /** Of its first process, in the host's own numbering; 0 when it does not run. */
  readonly pid: number
}

/** The root directory of a host that is on, seen from here. */
export async function rootOf(lab: Lab, host: string): Promise<string> {
  const layout = lab.layout.hosts.find((one) => one.name === host)
  const [pid = ''] = (await readFile(layout?.pidFile ?? '', 'utf8')).split(' ')
  return `/proc/${pid}/root`
}

/** The file of the network namespace that a process of the host is in. */
export async function netnsOf(lab: Lab, host: string, pid: number): Promise<string> {
  return `${await rootOf(lab, host)}/proc/${pid}/ns/net`
}

/** All instances' containers of a host. */
export async function containersOf(lab: Lab, host: string): Promise<readonly Container[]> {
  const docker = new Docker({ socketPath: `${await rootOf(lab, host)}/run/docker.sock` })
  const listed = await docker.listContainers({ all: true, filters: { label: [INSTANCE_LABEL] } })
  return Promise.all(
    listed.map(async ({ Id, Labels }) => {
      const { State } = await docker.getContainer(Id).inspect()
      return { instance: Labels[INSTANCE_LABEL] ?? '', running: State.Running, pid: State.Pid }
    }),
  )
}

export interface KernelView {
  readonly links: readonly string[]
  /** Destinations of unicast routes with our mark. */
  readonly routes: readonly string[]
  /** Links that are named in rules, each once. */
  readonly ruleLinks: readonly string[]
}

/** What the kernel of a host says. */
export async function kernelOf(host: LabHost): Promise<KernelView> {
  const [links, routes, rules] = await Promise.all([
    host.must(['ip', '-j', 'link']),
    host.must(['ip', '-j', 'route', 'show', 'table', 'all', 'proto', '167']),
    host.must(['nft', 'list', 'ruleset']),
  ])
  return {
    links: linksSchema.parse(JSON.parse(links)).flatMap(({ ifname }) => ifname ?? []),
    routes: routesSchema
      .parse(JSON.parse(routes || '[]'))
      .filter(({ type }) => type === undefined || type === 'unicast')
      .map(({ dst }) => dst),
    ruleLinks: [...new Set(rules.match(/at-h[0-9a-f]{11}/g) ?? [])],
  }
}
