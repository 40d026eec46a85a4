/**
 * Which host has something, and which resources have a name: they decide whom a write concerns.
 *
 * What a transaction has already read or written is not queried again. So a write after reading its
 * record needs no further statement.
 */
import type { Kysely } from 'kysely'
import type { HostName, InstanceId, VpcId } from '../../model/ids.ts'
import type { Instance, Nic, Tag } from '../../model/records.ts'
import { ofVpc, type Scope } from '../scope.ts'

/** The columns of nouns that are needed for this. */
interface Tables {
  readonly instances: Pick<Instance, 'id' | 'host' | 'state'>
  readonly nics: Pick<Nic, 'instance' | 'vpc'>
  readonly tags: Pick<Tag, 'resource' | 'key'>
}

/** The key of the tag that is a DNS name. */
export const NAME_TAG = 'Name'

/** What one transaction knows. */
export interface RecordLocations {
  /** The hosts of a record that was read or written. Undefined when none was. */
  known(id: string): readonly HostName[] | undefined
  /** Notes that a record exists, and its hosts. */
  isAt(id: string, ...hosts: readonly HostName[]): void
  /** The host of an instance. Empty when there is no such instance. */
  hostOf(instance: InstanceId): Promise<readonly HostName[]>
  /** The memberships of an instance on this host in its VPCs. */
  membersOf(instance: InstanceId, host: HostName): Promise<readonly Scope[]>
  /** Notes that an instance is new: it has no NIC and no name yet. */
  launched(instance: InstanceId, host: HostName): void
  plugged(instance: InstanceId, vpc: VpcId): void
  unplugged(instance: InstanceId): void
  /** Whether a resource has a Name tag. */
  hasName(resource: string): Promise<boolean>
  isNamed(resource: string, isNamed: boolean): void
  /** Whether an instance runs. A missing one does not. */
  runs(instance: InstanceId): Promise<boolean>
  isRunning(instance: InstanceId, isRunning: boolean): void
}

/** Knows nothing at first, and queries `db`. */
export function createRecordLocations(db: Kysely<Tables>): RecordLocations {
  const hosts = new Map<string, readonly HostName[]>()
  const vpcs = new Map<InstanceId, readonly VpcId[]>()
  const named = new Map<string, boolean>()
  const running = new Map<InstanceId, boolean>()
  return {
    known: (id) => hosts.get(id),
    isAt: (id, ...at) => hosts.set(id, at),
    async hostOf(id) {
      const known = hosts.get(id)
      if (known !== undefined) return known
      const found = await db.selectFrom('instances').select('host').where('id', '=', id).execute()
      for (const { host } of found) hosts.set(id, [host])
      return found.map(({ host }) => host)
    },
    async membersOf(instance, host) {
      const known = vpcs.get(instance)
      if (known !== undefined) return known.map((vpc) => ofVpc(vpc, host))
      const query = db.selectFrom('nics').select('vpc').where('instance', '=', instance)
      const found = (await query.execute()).map(({ vpc }) => vpc)
      vpcs.set(instance, found)
      return found.map((vpc) => ofVpc(vpc, host))
    },
    launched(instance, host) {
      hosts.set(instance, [host])
      vpcs.set(instance, [])
      named.set(instance, false)
    },
    plugged(instance, vpc) {
      const known = vpcs.get(instance)
      if (known !== undefined) vpcs.set(instance, [...known, vpc])
    },
    unplugged: (instance) => vpcs.set(instance, []),
    async hasName(resource) {
      const known = named.get(resource)
      if (known !== undefined) return known
      const found = await db
        .selectFrom('tags')
        .select('key')
        .where('resource', '=', resource)
        .where('key', '=', NAME_TAG)
        .execute()
      named.set(resource, found.length > 0)
      return found.length > 0
    },
    isNamed: (resource, isNamed) => named.set(resource, isNamed),
    async runs(id) {
      const known = running.get(id)
      if (known !== undefined) return known
      const found = await db.selectFrom('instances').select('state').where('id', '=', id).execute()
      return found.some(({ state }) => state === 'running')
    },
    isRunning: (instance, isRunning) => running.set(instance, isRunning),
  }
}
