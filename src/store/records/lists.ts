/**
 * The lists that may be long, because nothing limits how many such records an account has, or only
 * what its hosts have. Their indexes are those of migration 44, and keys.
 */
import { sql } from 'kysely'
import type { List } from './part.ts'

/**
 * That an instance is not terminated. A comparison that no index helps with (`!=`) would look at
 * the records of all that are.
 */
export function isLive(state: string) {
  const column = sql.ref(state)
  return sql<boolean>`(${column} < 'terminated' or ${column} > 'terminated')`
}

/**
 * That a volume's row names no instance: it has none, or what stands there is no id. One with the
 * id of an instance that is gone is left out of lists; one that cannot be read must be found.
 */
export function namesNoInstance(instance: string) {
  const column = sql.ref(instance)
  return sql<boolean>`(${column} is null or ${column} not like ${INSTANCE_LIKE})`
}

/** `_` is any character. */
const INSTANCE_LIKE = `i-${'_'.repeat(17)}`

/** What instances are listed by. */
export type InstanceRestriction =
  | 'id'
  | 'reservation'
  | 'state'
  | 'image'
  | 'type'
  | 'keyName'
  | 'clientToken'
  | 'vpc'
  | 'subnet'
  | 'nic'
  | 'privateIp'
  | 'group'
  | 'publicIp'
  | 'volume'

const OF_NICS = { from: sql.table('nics'), id: 'nics.instance' }

/** The rows of a table and the NICs that they name. */
function withNics(table: string, nic: string) {
  const isSame = sql`${sql.ref('nics.id')} = ${sql.ref(nic)}`
  return sql`${sql.table(table)} inner join ${sql.table('nics')} on ${isSame}`
}

/** Other rows of the list's own table. */
function same(table: string, id: string, column: string) {
  const from = sql`${sql.table(table)} as ${sql.ref('same')}`
  return { from, id: `same.${id}`, column: `same.${column}` }
}

/** Instances. */
export const INSTANCES_BY_ID: List<InstanceRestriction> = {
  table: 'instances',
  id: 'id',
  key: ['id'],
  columns: {
    id: 'id',
    reservation: 'reservation',
    state: 'state',
    image: 'image',
    type: 'type',
    keyName: 'keyName',
    clientToken: 'clientToken',
  },
  ordered: ['state'],
  elsewhere: {
    vpc: { ...OF_NICS, column: 'nics.vpc', account: 'nics.account' },
    subnet: { ...OF_NICS, column: 'nics.subnet' },
    nic: { ...OF_NICS, column: 'nics.id' },
    privateIp: { ...OF_NICS, column: 'nics.ip', account: 'nics.account' },
    group: { ...OF_NICS, from: withNics('nicGroups', 'nicGroups.nic'), column: 'nicGroups.group' },
    publicIp: { ...OF_NICS, from: withNics('addresses', 'addresses.nic'), column: 'addresses.ip' },
    image: same('instances', 'id', 'image'),
    volume: { from: sql.table('volumes'), id: 'volumes.instance', column: 'volumes.id' },
  },
}

/** Instances, those of a launch together. */
export const INSTANCES_BY_LAUNCH: List<InstanceRestriction> = {
  ...INSTANCES_BY_ID,
  key: ['reservation', 'launchIndex', 'id'],
  elsewhere: {
    ...INSTANCES_BY_ID.elsewhere,
    reservation: { ...same('instances', 'id', 'reservation'), account: 'same.account' },
  },
}

/** What volumes are listed by. */
export type VolumeRestriction = 'id' | 'instance' | 'state' | 'zone' | 'volumeType'

/** Volumes, but not what is left of those of terminated instances. */
export const VOLUMES_BY_ID: List<VolumeRestriction> = {
  table: 'volumes',
  id: 'id',
  key: ['id'],
  columns: {
    id: 'id',
    instance: 'instance',
    state: 'state',
    zone: 'zone',
    volumeType: 'volumeType',
  },
  elsewhere: { instance: same('volumes', 'id', 'instance') },
  always: sql<boolean>`(${namesNoInstance('volumes.instance')} or exists (
    select 1 from ${sql.table('instances')}
    where ${sql.ref('instances.id')} = ${sql.ref('volumes.instance')}
    and ${isLive('instances.state')}))`,
}

/** What NICs are listed by. */
export type NicRestriction =
  | 'id'
  | 'instance'
  | 'vpc'
  | 'subnet'
  | 'privateIp'
  | 'mac'
  | 'group'
  | 'publicIp'

/** NICs. */
export const NICS_BY_ID: List<NicRestriction> = {
  table: 'nics',
  id: 'id',
  key: ['id'],
  columns: {
    id: 'id',
    instance: 'instance',
    vpc: 'vpc',
    subnet: 'subnet',
    privateIp: 'ip',
    mac: 'mac',
  },
  elsewhere: {
    instance: same('nics', 'id', 'instance'),
    vpc: { ...same('nics', 'id', 'vpc'), account: 'same.account' },
    subnet: same('nics', 'id', 'subnet'),
    privateIp: { ...same('nics', 'id', 'ip'), account: 'same.account' },
    mac: same('nics', 'id', 'mac'),
    group: { from: sql.table('nicGroups'), id: 'nicGroups.nic', column: 'nicGroups.group' },
    publicIp: { from: sql.table('addresses'), id: 'addresses.nic', column: 'addresses.ip' },
  },
}

/** What tags are listed by. */
export type TagListRestriction = 'resource' | 'resourceType' | 'key' | 'value'

/** Tags. */
export const TAGS_BY_RESOURCE: List<TagListRestriction> = {
  table: 'tags',
  id: 'resource',
  key: ['resource', 'key'],
  columns: { resource: 'resource', resourceType: 'resourceType', key: 'key', value: 'value' },
  elsewhere: { key: { ...same('tags', 'resource', 'key'), account: 'same.account' } },
}
