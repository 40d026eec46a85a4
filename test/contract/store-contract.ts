/**
 * What every implementation of the `Store` port promises. A new engine calls
 * `describeStoreContract`.
 *
 * Tests of conflicting transactions use two stores over the same records, as two hosts would.
 */
import { describe } from 'vitest'
import { describeAddresses } from './store/addresses.ts'
import { describeAudit, describePendingEvents } from './store/audit.ts'
import { describeFailoverMembers } from './store/failover-members.ts'
import type { StoreFixture } from './store/fixture.ts'
import { describeGroups } from './store/groups.ts'
import { describeUnusedImages } from './store/images.ts'
import { describeHosts, describeLabels, describeUniqueness } from './store/keys.ts'
import { describeLeases, describeOwnership, describeReplicas } from './store/leases.ts'
import { describeLevers } from './store/levers.ts'
import { describeLimits } from './store/limits.ts'
import { describeLists } from './store/lists.ts'
import { describeNetworks } from './store/networks.ts'
import { describeNics } from './store/nics.ts'
import { describePlacementGroups } from './store/placement-groups.ts'
import { describePrefixLists } from './store/prefix-lists.ts'
import { describeQueries, describeRoundTrips } from './store/queries.ts'
import { describeQuotas } from './store/quotas.ts'
import { describeRecovery } from './store/recovery.ts'
import { describeRoles } from './store/roles.ts'
import { describeRouting } from './store/routing.ts'
import { describeScopes } from './store/scopes.ts'
import { describeMigrations, describeRaces, describeTransactions } from './store/transactions.ts'
import { describeUnreadable } from './store/unreadable.ts'
import { describeUsage } from './store/usage.ts'
import { describeVolumes } from './store/volumes.ts'
import { describeWarmInstances } from './store/warm-instances.ts'

/**
 * Runs the contract against an implementation. `begin` gives records that have the schema
 * already, where that is faster.
 */
export function describeStoreContract(
  name: string,
  empty: () => Promise<StoreFixture>,
  begin: () => Promise<StoreFixture> = empty,
): void {
  describe(name, () => {
    describeMigrations(empty)
    describeRecords(begin)
  })
}

/** Runs the contract against records that have the schema, however it came there. */
export function describeRecordsContract(name: string, begin: () => Promise<StoreFixture>): void {
  describe(name, () => describeRecords(begin))
}

function describeRecords(begin: () => Promise<StoreFixture>): void {
  describeRoundTrips(begin)
  describeQueries(begin)
  describeLists(begin)
  describePlacementGroups(begin)
  describePrefixLists(begin)
  describeLevers(begin)
  describeWarmInstances(begin)
  describeUsage(begin)
  describeVolumes(begin)
  describeGroups(begin)
  describeNetworks(begin)
  describeRouting(begin)
  describeAddresses(begin)
  describeLimits(begin)
  describeNics(begin)
  describeUniqueness(begin)
  describeUnusedImages(begin)
  describeHosts(begin)
  describeLeases(begin)
  describeOwnership(begin)
  describeReplicas(begin)
  describeRecovery(begin)
  describeFailoverMembers(begin)
  describeLabels(begin)
  describeTransactions(begin)
  describeRaces(begin)
  describeUnreadable(begin)
  describeScopes(begin)
  describeAudit(begin)
  describePendingEvents(begin)
  describeRoles(begin)
  describeQuotas(begin)
}
