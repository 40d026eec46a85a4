/** The output of `scripts/lab status`: the state of every host, as the host itself reports it. */
import {
  type DaemonState,
  daemonState,
  type GaleraState,
  galeraState,
  rabbitNodes,
} from './engines.ts'
import type { LabHost } from './host.ts'
import type { Lab } from './lab.ts'

export interface HostStatus {
  readonly host: string
  /** `cut`: on, but cut off from the fabric. */
  readonly state: 'up' | 'cut' | 'down'
  readonly fabricAddress: string
  readonly endpoint: string
  readonly galera: GaleraState | null
  /** Hosts whose RabbitMQ this host's node sees. */
  readonly rabbitmq: readonly string[] | null
  readonly atolld: DaemonState | null
}

/** All hosts at once. */
export async function labStatus(lab: Lab): Promise<readonly HostStatus[]> {
  return Promise.all(lab.hosts.map(hostStatus))
}

async function hostStatus(host: LabHost): Promise<HostStatus> {
  const { name, fabricAddress, endpoint, hasEngines } = host
  const isOn = await host.isOn()
  const [galera, rabbitmq, atolld] = isOn
    ? await Promise.all([
        hasEngines ? galeraState(host) : null,
        hasEngines ? rabbitNodes(host) : null,
        daemonState(host),
      ])
    : [null, null, null]
  const state = isOn ? (host.isCut() ? 'cut' : 'up') : 'down'
  return { host: name, state, fabricAddress, endpoint, galera, rabbitmq, atolld }
}

/** The cells of a host's row, under `STATUS_HEAD`. */
export function statusRow({ atolld, galera, rabbitmq, ...host }: HostStatus): readonly string[] {
  const instances = Object.entries(atolld?.instances ?? {}).map(
    ([state, count]) => `${count} ${state}`,
  )
  return [
    host.host,
    host.state,
    host.fabricAddress,
    galera === null
      ? '-'
      : `${galera.state}, ${galera.size}${galera.primary ? '' : ' not primary'}`,
    rabbitmq === null ? '-' : rabbitmq.join(' '),
    atolld === null ? '-' : atolld.healthy ? 'healthy' : atolld.problems.join('; '),
    instances.length === 0 ? '-' : instances.join(', '),
    atolld?.version ?? '-',
  ]
}

export const STATUS_HEAD = [
  'host',
  'state',
  'fabric',
  'Galera',
  'RabbitMQ',
  'atolld',
  'instances',
  'version',
]
