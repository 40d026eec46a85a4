/** Migration 45: NetBIOS in sets of DHCP options. Additive: an older daemon writes none. */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { addColumn } from './add-column.ts'

/** Adds the columns `dhcpOptions.netbiosServers` and `netbiosNodeType`. */
export const netbios: Migration = {
  async up(db: Kysely<unknown>) {
    await addColumn(db, 'dhcpOptions', 'netbiosServers', 'varchar(255)')
    await addColumn(db, 'dhcpOptions', 'netbiosNodeType', 'integer')
  },
}
