/**
 * Migration 19: VPCs with networks of their own, and what can be set of VPCs and subnets.
 *
 * Until now all VPCs shared one address space, and networks and addresses were unique in the cloud.
 * From now on they are unique in their VPC, and the networks of VPCs in their address space: the
 * root namespace (empty, which is what an older daemon writes), or the VPC's own. An older daemon
 * works on, because what it inserts is still unique where it looks; but it cannot tell VPCs apart
 * that overlap, so none is created while an older daemon is there.
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { addColumn } from './add-column.ts'
import { dropKey } from './drop-key.ts'

/** Tables, the key that goes, and the columns of the one that comes. */
const KEYS = [
  ['vpcs', 'vpcsCidr', 'vpcsAddressSpaceCidr', ['addressSpace', 'cidr']],
  ['subnets', 'subnetsCidr', 'subnetsVpcCidr', ['vpc', 'cidr']],
  ['nics', 'nicsIp', 'nicsVpcIp', ['vpc', 'ip']],
] as const

/** Adds the columns of VPCs and subnets, and replaces their keys and that of addresses. */
export const vpcNetworks: Migration = {
  async up(db: Kysely<unknown>) {
    const flag = (table: string, column: string, value: 0 | 1) =>
      addColumn(db, table, column, 'integer', (one) => one.notNull().defaultTo(value))
    await addColumn(db, 'vpcs', 'network', 'integer')
    await addColumn(db, 'vpcs', 'addressSpace', 'varchar(64)', (one) => one.notNull().defaultTo(''))
    await flag('vpcs', 'dnsSupport', 1)
    await flag('vpcs', 'dnsHostnames', 1)
    await flag('subnets', 'mapPublicIp', 0)
    for (const [table, old, key, columns] of KEYS) {
      // First the new one, so that nothing is without a key in between.
      await addKey(db, table, key, columns)
      await dropKey(db, table, old)
    }
    await addKey(db, 'vpcs', 'vpcsNetwork', ['network'])
    // What a launch asks: which of some addresses of a subnet are taken.
    await db.schema
      .createIndex('nicsBy_subnet_ip')
      .ifNotExists()
      .on('nics')
      .columns(['subnet', 'ip'])
      .execute()
  },
}

async function addKey(
  db: Kysely<unknown>,
  table: string,
  name: string,
  columns: readonly string[],
): Promise<void> {
  await db.schema
    .createIndex(name)
    .ifNotExists()
    .on(table)
    .columns([...columns])
    .unique()
    .execute()
}
