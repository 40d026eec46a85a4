/**
 * Where things are, and what has a name: whom a write of something of it concerns.
 *
 * What a transaction has read or written already is not asked again, so a write that follows the
 * reading of its record costs no statement more.
 */
import type { Kysely } from 'kysely'
import type { HostName, InstanceId, VpcId } from '../../model/ids.ts'
import type { Instance, Nic, Tag } from '../../model/records.ts'
import { ofVpc, type Scope } from '../scope.ts'

/** Columns of nouns that say so. */
interface Tables {
  readonly instances: Pick<Instance, 'id' | 'host' | 'state'>
  readonly nics: Pick<Nic, 'instance' | 'vpc'>
  readonly tags: Pick<Tag, 'resource' | 'key'>
}

/** The key of the tag that is a name. */
export const NAME_TAG = 'Name'

/** One transaction's knowledge. */
export interface Whereabouts {
  /** The hosts of a record that was read or written; undefined when none was. */
  known(id: string): readonly HostName[] | undefined
  /** A record was read or written, and is there. */
  isAt(id: string, ...hosts: readonly HostName[]): void
  /** The host of an instance; none when there is no such instance. */
  hostOf(instance: InstanceId): Promise<readonly HostName[]>
  /** An instance as a member of its VPCs, on this host. */
  membersOf(instance: InstanceId, host: HostName): Promise<readonly Scope[]>
  /** A new instance has no NIC and no name yet. */
  launched(instance: InstanceId, host: HostName): void
  plugged(instance: InstanceId, vpc: VpcId): void
  unplugged(instance: InstanceId): void
  /** Whether a resource has a Name tag. */
  hasName(resource: string): Promise<boolean>
  isNamed(resource: string, isNamed: boolean): void
  /** Whether an instance runs; what is not there does not. */
  runs(instance: InstanceId): Promise<boolean>
  isRunning(instance: InstanceId, isRunning: boolean): void
}

/** Knows nothing, and asks `db`. */
export function createWhereabouts(db: Kysely<Tables>): Whereabouts {
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
