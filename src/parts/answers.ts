/**
 * What answers instances in a network namespace: DHCP, DNS and metadata, in the order in which they
 * are applied. The process that serves them and a daemon that is one process have the same list.
 */
import type { Host, ServiceSockets } from '../host/host.ts'
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { Metrics } from '../lib/metrics.ts'
import { createDhcp } from '../services/dhcp/dhcp.ts'
import type { DhcpSettings } from '../services/dhcp/options.ts'
import { createDns, type DnsSettings } from '../services/dns/dns.ts'
import { createMetadata } from '../services/metadata/metadata.ts'
import type { RoleCredentials } from '../services/metadata/role-documents.ts'
import type { TreeSettings } from '../services/metadata/tree.ts'
import type { HostService } from '../services/service.ts'

export interface AnswerSettings {
  readonly dhcp: DhcpSettings
  readonly dns: DnsSettings
  readonly metadata: TreeSettings
  /** Signs tokens of the metadata service. */
  readonly key: Uint8Array
}

/** What they are made of; `host` and `sockets` are of the namespace. */
export interface AnswerParts {
  readonly settings: AnswerSettings
  readonly host: Pick<Host, 'nicIndexes' | 'bindUdp'>
  readonly sockets: ServiceSockets
  readonly roles: RoleCredentials
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
}

/** They listen from their first `apply` on. */
export function createAnswers(parts: AnswerParts): readonly HostService[] {
  const { settings, host, sockets, roles, clock, log, metrics } = parts
  return [
    createDhcp({ host, settings: settings.dhcp, clock, metrics, log }),
    createDns({ settings: settings.dns, metrics, log, clock, sockets }),
    createMetadata({
      ...{ key: settings.key, settings: settings.metadata, roles, clock, metrics, log, sockets },
    }),
  ]
}
