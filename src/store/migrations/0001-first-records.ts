/**
 * Migration 1: the first tables, and the instance types that every cloud starts with.
 *
 * `nics.ip` and the CIDRs of networks are unique in the cluster, because all VPCs share one address
 * space. The API refuses networks that overlap without being equal. Lengths of text are in
 * characters and follow the API's limits. Ids and names are compared byte by byte.
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { InstanceType } from '../../model/records.ts'

/** Long enough for ids, host names (63) and tokens (64). */
const NAME = 'varchar(64)'
/** ISO 8601 UTC with milliseconds. */
const TIME = 'varchar(24)'

/** The tables while this migration runs. */
interface Seeded {
  readonly instanceTypes: InstanceType
}

/** Creates the first tables and the instance types. */
export const firstRecords: Migration = {
  async up(db: Kysely<Seeded>) {
    await createAccounts(db)
    await createHosts(db)
    await createImages(db)
    await createNetworks(db)
    await createInstances(db)
    await createNics(db)
    await createLabels(db)
    await seedInstanceTypes(db)
  },
}

async function createAccounts(db: Kysely<Seeded>): Promise<void> {
  await db.schema
    .createTable('accounts')
    .ifNotExists()
    .addColumn('id', NAME, (column) => column.primaryKey().notNull())
    .addColumn('name', 'varchar(255)', (column) => column.notNull())
    .execute()
  await db.schema
    .createTable('accessKeys')
    .ifNotExists()
    .addColumn('id', 'varchar(128)', (column) => column.primaryKey().notNull())
    .addColumn('secret', 'varchar(255)', (column) => column.notNull())
    .addColumn('account', NAME, (column) => column.notNull())
    .addColumn('user', 'varchar(255)', (column) => column.notNull())
    .addForeignKeyConstraint('accessKeysAccount', ['account'], 'accounts', ['id'])
    .execute()
  await createIndex(db, 'accessKeys', ['account'])
  await db.schema
    .createTable('clientTokens')
    .ifNotExists()
    .addColumn('account', NAME, (column) => column.notNull())
    .addColumn('action', NAME, (column) => column.notNull())
    .addColumn('token', 'varchar(128)', (column) => column.notNull())
    .addColumn('parametersHash', 'varchar(128)', (column) => column.notNull())
    .addColumn('result', 'text', (column) => column.notNull())
    .addColumn('createdAt', TIME, (column) => column.notNull())
    .addPrimaryKeyConstraint('clientTokensKey', ['account', 'action', 'token'])
    .execute()
  await createIndex(db, 'clientTokens', ['createdAt'])
}

async function createHosts(db: Kysely<Seeded>): Promise<void> {
  await db.schema
    .createTable('hosts')
    .ifNotExists()
    .addColumn('name', NAME, (column) => column.primaryKey().notNull())
    .addColumn('zone', NAME, (column) => column.notNull())
    .addColumn('state', 'varchar(16)', (column) => column.notNull())
    .addColumn('version', NAME, (column) => column.notNull())
    .addColumn('vcpus', 'integer', (column) => column.notNull())
    .addColumn('memoryMiB', 'integer', (column) => column.notNull())
    .addColumn('usedVcpus', 'integer', (column) => column.notNull())
    .addColumn('usedMemoryMiB', 'integer', (column) => column.notNull())
    .addColumn('generation', 'bigint', (column) => column.notNull())
    .addColumn('fabricAddress', 'varchar(15)')
    .addColumn('lastSeenAt', TIME, (column) => column.notNull())
    .execute()
}

async function createImages(db: Kysely<Seeded>): Promise<void> {
  await db.schema
    .createTable('images')
    .ifNotExists()
    .addColumn('id', NAME, (column) => column.primaryKey().notNull())
    .addColumn('account', NAME, (column) => column.notNull())
    .addColumn('name', 'varchar(128)', (column) => column.notNull())
    .addColumn('description', 'varchar(255)', (column) => column.notNull())
    .addColumn('location', 'varchar(1024)', (column) => column.notNull())
    .addColumn('architecture', NAME, (column) => column.notNull())
    .addColumn('state', 'varchar(16)', (column) => column.notNull())
    .addColumn('stateReason', 'text')
    .addColumn('digest', 'varchar(128)')
    .addColumn('host', NAME, (column) => column.notNull())
    .addColumn('createdAt', TIME, (column) => column.notNull())
    .addUniqueConstraint('imagesName', ['account', 'name'])
    .execute()
}

async function createNetworks(db: Kysely<Seeded>): Promise<void> {
  await db.schema
    .createTable('vpcs')
    .ifNotExists()
    .addColumn('id', NAME, (column) => column.primaryKey().notNull())
    .addColumn('account', NAME, (column) => column.notNull())
    .addColumn('cidr', 'varchar(18)', (column) => column.notNull())
    .addColumn('isDefault', 'integer', (column) => column.notNull())
    .addUniqueConstraint('vpcsCidr', ['cidr'])
    .addForeignKeyConstraint('vpcsAccount', ['account'], 'accounts', ['id'])
    .execute()
  await db.schema
    .createTable('subnets')
    .ifNotExists()
    .addColumn('id', NAME, (column) => column.primaryKey().notNull())
    .addColumn('vpc', NAME, (column) => column.notNull())
    .addColumn('account', NAME, (column) => column.notNull())
    .addColumn('cidr', 'varchar(18)', (column) => column.notNull())
    .addColumn('zone', NAME, (column) => column.notNull())
    .addColumn('isDefault', 'integer', (column) => column.notNull())
    .addUniqueConstraint('subnetsCidr', ['cidr'])
    .addForeignKeyConstraint('subnetsVpc', ['vpc'], 'vpcs', ['id'])
    .execute()
  await db.schema
    .createTable('securityGroups')
    .ifNotExists()
    .addColumn('id', NAME, (column) => column.primaryKey().notNull())
    .addColumn('vpc', NAME, (column) => column.notNull())
    .addColumn('account', NAME, (column) => column.notNull())
    .addColumn('name', 'varchar(255)', (column) => column.notNull())
    .addColumn('description', 'varchar(255)', (column) => column.notNull())
    .addUniqueConstraint('securityGroupsName', ['vpc', 'name'])
    .addForeignKeyConstraint('securityGroupsVpc', ['vpc'], 'vpcs', ['id'])
    .execute()
}

/**
 * Instances have no foreign keys to their image, key pair and type, which may be deleted before
 * them.
 */
async function createInstances(db: Kysely<Seeded>): Promise<void> {
  await db.schema
    .createTable('instances')
    .ifNotExists()
    .addColumn('id', NAME, (column) => column.primaryKey().notNull())
    .addColumn('account', NAME, (column) => column.notNull())
    .addColumn('reservation', NAME, (column) => column.notNull())
    .addColumn('launchIndex', 'integer', (column) => column.notNull())
    .addColumn('image', NAME, (column) => column.notNull())
    .addColumn('type', NAME, (column) => column.notNull())
    .addColumn('host', NAME, (column) => column.notNull())
    .addColumn('keyName', 'varchar(255)')
    .addColumn('userData', 'text')
    .addColumn('state', 'varchar(16)', (column) => column.notNull())
    .addColumn('wanted', 'varchar(16)', (column) => column.notNull())
    .addColumn('bootCount', 'integer', (column) => column.notNull())
    .addColumn('bootSeen', 'integer', (column) => column.notNull())
    .addColumn('transitionReason', 'varchar(255)', (column) => column.notNull())
    .addColumn('stateReasonCode', 'varchar(255)')
    .addColumn('stateReasonMessage', 'text')
    .addColumn('clientToken', 'varchar(128)')
    .addColumn('launchedAt', TIME, (column) => column.notNull())
    .addColumn('terminatedAt', TIME)
    .execute()
  await createIndex(db, 'instances', ['account'])
  await createIndex(db, 'instances', ['host'])
}

async function createNics(db: Kysely<Seeded>): Promise<void> {
  await db.schema
    .createTable('nics')
    .ifNotExists()
    .addColumn('id', NAME, (column) => column.primaryKey().notNull())
    .addColumn('instance', NAME, (column) => column.notNull())
    .addColumn('account', NAME, (column) => column.notNull())
    .addColumn('vpc', NAME, (column) => column.notNull())
    .addColumn('subnet', NAME, (column) => column.notNull())
    .addColumn('deviceIndex', 'integer', (column) => column.notNull())
    .addColumn('ip', 'varchar(15)', (column) => column.notNull())
    .addColumn('mac', 'varchar(17)', (column) => column.notNull())
    .addColumn('createdAt', TIME, (column) => column.notNull())
    .addUniqueConstraint('nicsIp', ['ip'])
    .addUniqueConstraint('nicsMac', ['mac'])
    .addForeignKeyConstraint('nicsInstance', ['instance'], 'instances', ['id'])
    .addForeignKeyConstraint('nicsSubnet', ['subnet'], 'subnets', ['id'])
    .execute()
  await createIndex(db, 'nics', ['instance'])
  await createIndex(db, 'nics', ['subnet'])
  await createIndex(db, 'nics', ['account'])
  await db.schema
    .createTable('nicGroups')
    .ifNotExists()
    .addColumn('nic', NAME, (column) => column.notNull())
    .addColumn('position', 'integer', (column) => column.notNull())
    .addColumn('group', NAME, (column) => column.notNull())
    .addPrimaryKeyConstraint('nicGroupsKey', ['nic', 'position'])
    .addForeignKeyConstraint('nicGroupsNic', ['nic'], 'nics', ['id'])
    .addForeignKeyConstraint('nicGroupsGroup', ['group'], 'securityGroups', ['id'])
    .execute()
  await createIndex(db, 'nicGroups', ['group'])
}

async function createLabels(db: Kysely<Seeded>): Promise<void> {
  await db.schema
    .createTable('keyPairs')
    .ifNotExists()
    .addColumn('id', NAME, (column) => column.primaryKey().notNull())
    .addColumn('account', NAME, (column) => column.notNull())
    .addColumn('name', 'varchar(255)', (column) => column.notNull())
    .addColumn('type', 'varchar(16)', (column) => column.notNull())
    .addColumn('fingerprint', 'varchar(128)', (column) => column.notNull())
    .addColumn('publicKey', 'text', (column) => column.notNull())
    .addColumn('createdAt', TIME, (column) => column.notNull())
    .addUniqueConstraint('keyPairsName', ['account', 'name'])
    .execute()
  await db.schema
    .createTable('tags')
    .ifNotExists()
    .addColumn('account', NAME, (column) => column.notNull())
    .addColumn('resource', NAME, (column) => column.notNull())
    .addColumn('resourceType', NAME, (column) => column.notNull())
    .addColumn('key', 'varchar(128)', (column) => column.notNull())
    .addColumn('value', 'varchar(256)', (column) => column.notNull())
    .addPrimaryKeyConstraint('tagsKey', ['account', 'resource', 'key'])
    .execute()
  await createIndex(db, 'tags', ['resource'])
}

async function createIndex(
  db: Kysely<Seeded>,
  table: string,
  columns: readonly string[],
): Promise<void> {
  await db.schema
    .createIndex(`${table}By_${columns.join('_')}`)
    .ifNotExists()
    .on(table)
    .columns([...columns])
    .execute()
}

/** Sizes for a laptop, then common ones of EC2 (https://aws.amazon.com/ec2/instance-types/). */
const INSTANCE_TYPES: readonly (readonly [string, number, number, number])[] = [
  ['at1.pico', 1, 32, 1],
  ['at1.nano', 1, 64, 2],
  ['at1.micro', 1, 128, 4],
  ['at1.small', 1, 256, 8],
  ['t3.nano', 2, 512, 8],
  ['t3.micro', 2, 1024, 8],
  ['t3.small', 2, 2048, 20],
  ['t3.medium', 2, 4096, 20],
  ['t3.large', 2, 8192, 40],
  ['t3.xlarge', 4, 16384, 80],
  ['t3.2xlarge', 8, 32768, 160],
  ['m5.large', 2, 8192, 40],
  ['m5.xlarge', 4, 16384, 80],
]

async function seedInstanceTypes(db: Kysely<Seeded>): Promise<void> {
  await db.schema
    .createTable('instanceTypes')
    .ifNotExists()
    .addColumn('name', NAME, (column) => column.primaryKey().notNull())
    .addColumn('vcpus', 'integer', (column) => column.notNull())
    .addColumn('memoryMiB', 'integer', (column) => column.notNull())
    .addColumn('diskGiB', 'integer', (column) => column.notNull())
    .execute()
  const present = new Set(
    (await db.selectFrom('instanceTypes').select('name').execute()).map(({ name }) => name),
  )
  const missing = INSTANCE_TYPES.filter(([name]) => !present.has(name))
  if (missing.length === 0) return
  await db
    .insertInto('instanceTypes')
    .values(
      missing.map(([name, vcpus, memoryMiB, diskGiB]) => ({ name, vcpus, memoryMiB, diskGiB })),
    )
    .execute()
}
