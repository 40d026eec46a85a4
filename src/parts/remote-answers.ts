/**
 * DHCP, DNS and metadata of one network namespace as the agent applies them, where another process
 * serves: it opens their sockets, and has that process told what to serve.
 *
 * - Their parts of the want are those of the services themselves (`services/dhcp`, `dns`,
 *   `metadata`), which run in the other process.
 * - A fresh agent finds the sockets in the process that serves, and opens only what is missing.
 * - If we die on any line, the other process serves on. It is told the rest by the next agent.
 * - A link that was made again needs another socket: the kernel binds by index.
 */
import type { NamespaceHost } from '../host/host.ts'
import type { SocketPlace } from '../host/sockets/socket-place.ts'
import type { Clock } from '../lib/clock.ts'
import { METADATA_ADDRESS } from '../model/addr.ts'
import { unavailable } from '../model/errors.ts'
import { nicLinkName } from '../model/names.ts'
import type { HostWant, InstanceWant } from '../model/want.ts'
import { resolverAddresses } from '../plan/service-addresses.ts'
import type { RoleCredentials } from '../services/metadata/role-documents.ts'
import type { HostService, Pass } from '../services/service.ts'
import { ANSWERS, type AnswerName, type NamespaceName, type RoleDocument } from './protocol.ts'
import type { ServicesLink } from './services-link.ts'
import type { SocketShelf } from './socket-shelf.ts'
import { nothingWanted, type Wanted } from './wanted.ts'

const PORTS = { dhcp: 67, dns: 53, metadata: 80 } as const

export interface RemoteAnswersParts {
  readonly namespace: NamespaceName
  readonly host: Pick<NamespaceHost, 'nicIndexes' | 'descriptors'>
  readonly shelf: SocketShelf
  readonly link: ServicesLink
  /** Makes the credentials of instances' roles. */
  readonly roles: RoleCredentials
  readonly clock: Pick<Clock, 'now'>
}

/** The services of the namespace. They have the names of those that they stand for. */
export function createRemoteAnswers(parts: RemoteAnswersParts): readonly HostService[] {
  const wanted = nothingWanted(parts.namespace)
  return ANSWERS.map((name) => remoteAnswer(name, parts, wanted))
}

function remoteAnswer(name: AnswerName, parts: RemoteAnswersParts, wanted: Wanted): HostService {
  let isServed = false
  return {
    name,
    gate: false,
    passesGates: true,
    async apply(pass: Pass) {
      isServed = false
      // Errors of single sockets do not keep the others from being served.
      await parts.link.settled()
      const places = await placesOf(name, parts, pass.want)
      const failures = openSockets(parts, wanted, name, places)
      want(wanted, pass.want, rolesOf(parts, pass.want.local.instances))
      await parts.link.apply(wanted, name)
      if (failures.length > 0)
        throw unavailable(
          `${name} cannot listen at ${failures.length} of ${places.length} places`,
          new AggregateError(failures),
        )
      isServed = true
      return []
    },
    isDue: () => !isServed,
    async close() {
      // What was opened is served on by the other process, which has descriptors of its own.
      for (const socket of wanted.sockets.get(name)?.values() ?? []) parts.shelf.close(socket)
      wanted.sockets.get(name)?.clear()
    },
  }
}

/** Where the service listens. */
async function placesOf(
  name: AnswerName,
  { host }: RemoteAnswersParts,
  { local, shared }: HostWant,
): Promise<readonly SocketPlace[]> {
  const port = PORTS[name]
  switch (name) {
    case 'dhcp': {
      const indexes = await host.nicIndexes()
      const links = local.instances.flatMap(({ nics }) => nics.map(({ id }) => nicLinkName(id)))
      return links.flatMap((link) => {
        const index = indexes.get(link)
        return index === undefined ? [] : [{ kind: 'link', link, index, port } as const]
      })
    }
    case 'dns':
      return resolverAddresses(shared).flatMap((address) =>
        (['udp', 'tcp'] as const).map((kind) => ({ kind, address, port })),
      )
    case 'metadata':
      return [{ kind: 'tcp', address: METADATA_ADDRESS, port }]
  }
}

/** Opens what is missing, and closes what is not needed any more. Returns what failed. */
function openSockets(
  { host, shelf }: RemoteAnswersParts,
  wanted: Wanted,
  name: AnswerName,
  places: readonly SocketPlace[],
): readonly unknown[] {
  const sockets = wanted.sockets.get(name) ?? new Map()
  const keys = new Map(places.map((place) => [JSON.stringify(place), place]))
  for (const [key, socket] of sockets)
    if (!keys.has(key)) {
      shelf.close(socket)
      sockets.delete(key)
    }
  const failures: unknown[] = []
  for (const [key, place] of keys)
    if (!sockets.has(key))
      try {
        sockets.set(key, shelf.open(host.descriptors, place))
      } catch (error) {
        failures.push(error)
      }
  return failures
}

function want(wanted: Wanted, { local, shared }: HostWant, roles: readonly RoleDocument[]): void {
  wanted.instances = local.instances
  wanted.names = shared.names
  wanted.vpcs = shared.vpcs.map(({ id, cidr }) => ({ id, cidr }))
  wanted.subnets = shared.subnets.map(({ id, cidr, gateway }) => ({ id, cidr, gateway }))
  wanted.roles = roles
}

/** Credentials of the roles that EC2 may take. They stay the same until they are renewed. */
function rolesOf(
  { roles, clock }: RemoteAnswersParts,
  instances: readonly InstanceWant[],
): readonly RoleDocument[] {
  roles.keep(instances)
  return instances.flatMap((instance) => {
    const role = instance.profile?.role
    const made = roles.of(instance)?.role
    if (role?.isTrusting !== true || made === undefined || made === null) return []
    return [{ instance: instance.id, role: role.id, document: made.credentials(clock.now()) }]
  })
}
