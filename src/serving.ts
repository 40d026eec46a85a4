/**
 * How DHCP, DNS and metadata are served: by this process, or by one of their own
 * (`parts/services-main.ts`), which the agent's end of it is made for here.
 */
import { rmSync } from 'node:fs'
import type { Socket } from 'node:net'
import { type Config, instanceMtuBytes } from './config.ts'
import type { NamespaceHost } from './host/host.ts'
import { loadLibc } from './host/libc.ts'
import { descriptorOf } from './host/linux.ts'
import { loadScheduling } from './host/processes/scheduling.ts'
import { loadDescriptors } from './host/sockets/descriptors.ts'
import { loadSocketInspector } from './host/sockets/inspect.ts'
import { loadPassing } from './host/sockets/passing.ts'
import type { Clock } from './lib/clock.ts'
import type { Log } from './lib/log.ts'
import type { Metrics } from './lib/metrics.ts'
import { below } from './lib/paths.ts'
import { ec2Architecture } from './model/architecture.ts'
import { SERVICES_SOCKETS } from './model/names.ts'
import { type AnswerSettings, createAnswers } from './parts/answers.ts'
import { type Child, type ChildSpec, isPartProcess } from './parts/children.ts'
import { Precedence } from './parts/precedence.ts'
import { MACHINE } from './parts/protocol.ts'
import { createRemoteAnswers } from './parts/remote-answers.ts'
import { buildName } from './parts/services-build.ts'
import { ServicesLink } from './parts/services-link.ts'
import { SocketShelf } from './parts/socket-shelf.ts'
import type { RoleCredentials } from './services/metadata/role-documents.ts'
import type { HostService } from './services/service.ts'

/** What DHCP, DNS and metadata are made of. */
interface ServingParts {
  readonly config: Config
  readonly clock: Clock
  readonly log: Log
  /** Signs tokens of the metadata service. */
  readonly metadataKey: Uint8Array
}

/** What serves instances. */
export interface Serving {
  /** The services in one network namespace; `network` is the number of the VPC whose it is. */
  answers(
    host: NamespaceHost,
    metrics: Metrics,
    roles: RoleCredentials,
    network?: number,
  ): readonly HostService[]
  /** The namespace of this VPC is no more. */
  end(network: number): void
  close(): void
}

/** Keeps a part of the daemon running as a process. */
export type KeepChild = (spec: ChildSpec) => Child

/** They are served by this process. */
export function serveHere(parts: ServingParts): Serving {
  const { clock, log } = parts
  const settings = answerSettings(parts)
  return {
    answers: (host, metrics, roles) =>
      createAnswers({ settings, host, sockets: host.sockets, roles, clock, log, metrics }),
    end: () => undefined,
    close: () => undefined,
  }
}

/**
 * They are served by another process, which `keep` keeps running; null: a service manager does. It
 * goes on after `close`.
 */
export function serveElsewhere(
  parts: ServingParts & { readonly randomBytes: (bytes: number) => Uint8Array },
  metrics: Metrics,
  keep: KeepChild | null,
): Serving {
  const { config, clock, log, randomBytes, metadataKey } = parts
  const [libc, descriptors, passing] = [loadLibc(), loadDescriptors(), loadPassing()]
  const inspector = loadSocketInspector()
  const shelf = new SocketShelf({ libc, descriptors, inspector })
  const [controlPath, inboxPath] = SERVICES_SOCKETS.map((name) => below(config.runtimeDir, name))
  if (controlPath === undefined || inboxPath === undefined) throw new RangeError('two sockets')
  const inherit = () => {
    // Those of the process before: it is not to be reached any more.
    for (const path of [controlPath, inboxPath]) rmSync(path, { force: true })
    const files = [descriptors.listenUnix(controlPath), descriptors.bindUnixDatagrams(inboxPath)]
    return { files, close: () => files.forEach(descriptors.close) }
  }
  const child =
    keep?.({ part: 'services', niceness: NICENESS, inherit, through: WITH_FEW_RIGHTS }) ?? null
  const isServing = (pid: number) => isPartProcess(pid, 'services')
  const precedence = new Precedence({ scheduling: loadScheduling(), isServing, clock, log })
  const link = new ServicesLink({
    ...{ controlPath, inboxPath, clock, log, build: buildName() },
    settings: {
      ...answerSettings(parts),
      key: Buffer.from(metadataKey).toString('base64'),
      log: config.log,
    },
    session: () => Buffer.from(randomBytes(16)).toString('hex'),
    sendDescriptors: passing.send,
    peerOf: (socket: Socket) => inspector.peerOf(descriptorOf(socket)),
    adopt: (pid) => shelf.takeFrom(pid),
    isServing,
    kill: (pid) => process.kill(pid, 'SIGKILL'),
    serves: (pid) => precedence.follow(pid),
    lost: (why) => (why === 'retiring' ? child?.succeed() : child?.look()),
  })
  link.begin()
  metrics.alsoRender(() => link.metrics())
  return {
    answers: (host, _metrics, roles, network) =>
      createRemoteAnswers({
        ...{ host, shelf, link, roles, clock },
        namespace: network === undefined ? MACHINE : String(network),
      }),
    end: (network) => link.end(String(network)),
    close: () => {
      precedence.close()
      link.close()
      shelf.closeFound()
    },
  }
}

/** Before the other parts: what it does takes microseconds, and instances wait for it. */
const NICENESS = -5

/**
 * setpriv(1): no new privileges, and of the capabilities those with which it reads its own code and
 * becomes another user. It gives these up, too, before it hears from anybody.
 */
const WITH_FEW_RIGHTS = [
  ...['setpriv', '--no-new-privs', '--inh-caps=-all'],
  ...['--bounding-set=-all,+setuid,+setgid,+dac_read_search', '--'],
] as const

function answerSettings({ config, metadataKey: key }: ServingParts): AnswerSettings {
  const { zone } = config.dns
  return {
    dhcp: { leaseSeconds: config.dhcp.leaseSeconds, mtu: instanceMtuBytes(config), zone },
    dns: config.dns,
    metadata: { zone, region: config.host.region, architecture: ec2Architecture(process.arch) },
    key,
  }
}
