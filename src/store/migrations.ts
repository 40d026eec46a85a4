/**
 * The schema's history: ordered migrations, each applied once, by the first host that needs it.
 *
 * A released migration is never edited; a change is a new migration. Statements are safe to repeat,
 * because not every engine can undo half a migration. Nothing is ever migrated back.
 *
 * While a cluster is upgraded, hosts of two versions use the same records. So the first digit of a
 * migration's name is the schema's generation, and within a generation migrations only add: tables,
 * indexes, and columns that have a default and that an older daemon may ignore. A daemon ignores
 * additions that it does not know, and refuses a generation that it does not know. A change that
 * would break older daemons starts a new generation (`1…`), in a release for which all hosts are
 * stopped. Two migrations remove what older daemons do not need: keys (`0019-vpc-networks.ts`), and
 * that each NIC has an instance (`0022-network-interfaces.ts`).
 */
import type { Kysely } from 'kysely'
import { DEFAULT_MIGRATION_TABLE, type Migration, Migrator } from 'kysely/migration'
import type { Log } from '../lib/log.ts'
import { AtollError, unavailable } from '../model/errors.ts'
import { EngineError, isEngineError } from './engines/engine.ts'
import { firstRecords } from './migrations/0001-first-records.ts'
import { leases } from './migrations/0002-leases.ts'
import { commits } from './migrations/0003-commits.ts'
import { shortage } from './migrations/0004-shortage.ts'
import { identity } from './migrations/0005-identity.ts'
import { volumes } from './migrations/0006-volumes.ts'
import { createdImages } from './migrations/0007-created-images.ts'
import { metadataOptions } from './migrations/0008-metadata-options.ts'
import { accessKeys } from './migrations/0009-access-keys.ts'
import { repositoryDigests } from './migrations/0012-repository-digests.ts'
import { hostLives } from './migrations/0013-host-lives.ts'
import { instanceOptions } from './migrations/0014-instance-options.ts'
import { generations } from './migrations/0015-generations.ts'
import { drivers } from './migrations/0016-drivers.ts'
import { groupRules } from './migrations/0017-group-rules.ts'
import { addresses } from './migrations/0018-addresses.ts'
import { vpcNetworks } from './migrations/0019-vpc-networks.ts'
import { dhcpOptions } from './migrations/0020-dhcp-options.ts'
import { routes } from './migrations/0021-routes.ts'
import { networkInterfaces } from './migrations/0022-network-interfaces.ts'
import { vpcPeerings } from './migrations/0024-vpc-peerings.ts'
import { flowLogs } from './migrations/0025-flow-logs.ts'
import { attachingInterfaces } from './migrations/0026-attaching-interfaces.ts'
import { peeringOptions } from './migrations/0027-peering-options.ts'
import { launchTemplates } from './migrations/0030-launch-templates.ts'
import { placementGroups } from './migrations/0031-placement-groups.ts'
import { accounts } from './migrations/0032-accounts.ts'
import { users } from './migrations/0033-users.ts'
import { auditEvents } from './migrations/0034-audit-events.ts'
import { pendingEvents } from './migrations/0035-pending-events.ts'
import { roles } from './migrations/0036-roles.ts'
import { levers } from './migrations/0037-levers.ts'
import { usage } from './migrations/0038-usage.ts'
import { announcedStarts } from './migrations/0039-announced-starts.ts'
import { imageDeprecation } from './migrations/0040-image-deprecation.ts'
import { natGatewayAddresses } from './migrations/0041-nat-gateway-addresses.ts'
import { userTags } from './migrations/0042-user-tags.ts'
import { ownPolicies } from './migrations/0043-own-policies.ts'
import { lists } from './migrations/0044-lists.ts'
import { netbios } from './migrations/0045-netbios.ts'
import { flowLogRoles } from './migrations/0046-flow-log-roles.ts'
import { imageTombstones } from './migrations/0047-image-tombstones.ts'
import { subnetDns } from './migrations/0048-subnet-dns.ts'
import { vpcCidrs } from './migrations/0049-vpc-cidrs.ts'
import { userGroups } from './migrations/0050-user-groups.ts'
import { recovery } from './migrations/0051-recovery.ts'
import { moves } from './migrations/0052-moves.ts'
import { failoverMembers } from './migrations/0053-failover-members.ts'
import { prefixLists } from './migrations/0054-prefix-lists.ts'
import { checks } from './migrations/0055-checks.ts'
import { hangs } from './migrations/0056-hangs.ts'
import { storage } from './migrations/0057-storage.ts'
import { liveMoves } from './migrations/0058-live-moves.ts'
import { warmInstances } from './migrations/0059-warm-instances.ts'
import { storageFences } from './migrations/0060-storage-fences.ts'
import type { Tables } from './nouns.ts'

/** All migrations. They are applied in ascending order of name. */
export const MIGRATIONS: Readonly<Record<string, Migration>> = {
  '0001-first-records': firstRecords,
  '0002-leases': leases,
  '0003-commits': commits,
  '0004-shortage': shortage,
  '0005-identity': identity,
  '0006-volumes': volumes,
  '0007-created-images': createdImages,
  '0008-metadata-options': metadataOptions,
  '0009-access-keys': accessKeys,
  '0012-repository-digests': repositoryDigests,
  '0013-host-lives': hostLives,
  '0014-instance-options': instanceOptions,
  '0015-generations': generations,
  '0016-drivers': drivers,
  '0017-group-rules': groupRules,
  '0018-addresses': addresses,
  '0019-vpc-networks': vpcNetworks,
  '0020-dhcp-options': dhcpOptions,
  '0021-routes': routes,
  '0022-network-interfaces': networkInterfaces,
  '0024-vpc-peerings': vpcPeerings,
  '0025-flow-logs': flowLogs,
  '0026-attaching-interfaces': attachingInterfaces,
  '0027-peering-options': peeringOptions,
  '0030-launch-templates': launchTemplates,
  '0031-placement-groups': placementGroups,
  '0032-accounts': accounts,
  '0033-users': users,
  '0034-audit-events': auditEvents,
  '0035-pending-events': pendingEvents,
  '0036-roles': roles,
  '0037-levers': levers,
  '0038-usage': usage,
  '0039-announced-starts': announcedStarts,
  '0040-image-deprecation': imageDeprecation,
  '0041-nat-gateway-addresses': natGatewayAddresses,
  '0042-user-tags': userTags,
  '0043-own-policies': ownPolicies,
  '0044-lists': lists,
  '0045-netbios': netbios,
  '0046-flow-log-roles': flowLogRoles,
  '0047-image-tombstones': imageTombstones,
  '0048-subnet-dns': subnetDns,
  '0049-vpc-cidrs': vpcCidrs,
  '0050-user-groups': userGroups,
  '0051-recovery': recovery,
  '0052-moves': moves,
  '0053-failover-members': failoverMembers,
  '0054-prefix-lists': prefixLists,
  '0055-checks': checks,
  '0056-hangs': hangs,
  '0057-storage': storage,
  '0058-live-moves': liveMoves,
  '0059-warm-instances': warmInstances,
  '0060-storage-fences': storageFences,
}
const GENERATION = '0'

/**
 * Applies the missing migrations. Several hosts, even of two versions, may call it at once. Usually
 * nothing is missing: that costs one statement and no lock, so hosts that start at once do not wait
 * for each other. Rejects with `unavailable` when the records have a newer generation, and with the
 * `EngineError` of a failed statement.
 */
export async function migrateToLatest(
  db: Kysely<Tables>,
  log: Log,
  migrations = MIGRATIONS,
): Promise<void> {
  for (;;) {
    const applied = await appliedNames(db)
    const additions = unknownAdditions(applied, migrations)
    if (Object.keys(migrations).every((name) => applied.includes(name))) {
      if (additions.length > 0) log.info({ additions }, 'the records are newer than this daemon')
      return
    }
    const migrator = new Migrator({
      db,
      provider: {
        // The migrator must know every migration that was ever applied. These were, and are not
        // applied again.
        getMigrations: async () => ({
          ...migrations,
          ...Object.fromEntries(additions.map((name) => [name, { up: async () => {} }])),
        }),
      },
    })
    const { error, results = [] } = await migrator.migrateToLatest()
    for (const { migrationName, status } of results)
      if (status === 'Success') log.info({ migration: migrationName }, 'records migrated')
    if (error === undefined) continue
    if (error instanceof AtollError) throw error
    // A newer host may have added to the schema between the check and the lock. Then another check
    // succeeds.
    if ((await appliedNames(db)).length === applied.length)
      throw new EngineError('misuse', error, {})
  }
}

/** Names of the applied migrations. None if there is no table of them. */
async function appliedNames(db: Kysely<Tables>): Promise<readonly string[]> {
  try {
    const applied = await db
      .withTables<{ readonly [DEFAULT_MIGRATION_TABLE]: { readonly name: string } }>()
      .selectFrom(DEFAULT_MIGRATION_TABLE)
      .select('name')
      .orderBy('name')
      .execute()
    return applied.map(({ name }) => name)
  } catch (error) {
    // Listing the tables first would be many times slower.
    if (isEngineError(error, 'misuse')) return []
    throw error
  }
}

/** The additions of this generation that only a newer daemon knows. */
function unknownAdditions(
  applied: readonly string[],
  migrations: Readonly<Record<string, Migration>>,
): readonly string[] {
  const unknown = applied.filter((name) => !(name in migrations))
  const breaking = unknown.find((name) => !name.startsWith(GENERATION))
  if (breaking !== undefined)
    throw unavailable(
      `The records have migration "${breaking}", which this daemon does not know: install a newer version on this host.`,
    )
  return unknown
}
