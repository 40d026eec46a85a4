/** What the operator is told of each host. */
import type { Host } from '../model/records.ts'
import type { StorageFence } from '../model/storage.ts'
import type { LossOutlook } from '../plan/failover/spare.ts'
import type { ReadTx } from '../store/store.ts'
import { outlooksOf } from './hosts.ts'

/** A row of `atoll hosts`. */
export type HostReport = Host & {
  readonly instances: number
  /** Its state. `full`: it lacks something for new instances. `lost`: its lease has expired. */
  readonly status: Host['state'] | 'full' | 'lost'
  /** Whether its answer counts before instances of a lost host are started elsewhere. */
  readonly failoverMember: boolean
  /** What its storage has to refuse since others took over its instances. Null: nothing. */
  readonly storageFence: StorageFence | null
  /**
   * What its loss would mean now. Null: it has nothing that others would start again. Absent: a
   * daemon of an older version answers.
   */
  readonly loss?: Omit<LossOutlook, 'host'> | null
}

function statusOf({ live, state, shortOf }: Host): HostReport['status'] {
  if (!live) return 'lost'
  return state === 'active' && shortOf !== null ? 'full' : state
}

/** The rows of `atoll hosts`. */
export async function hostReports(tx: ReadTx): Promise<readonly HostReport[]> {
  const reports: HostReport[] = []
  const members = (await tx.failoverMembers())?.members ?? []
  const hosts = await tx.hosts()
  const outlooks = await outlooksOf(tx, hosts, members)
  const { fences } = await tx.storageFences()
  const byHost = new Map(fences.map(({ host, fence }) => [host, fence]))
  for (const host of hosts) {
    const { terminated: _, ...live } = await tx.instanceCounts(host.name)
    const instances = Object.values(live).reduce((sum, count) => sum + count, 0)
    const failoverMember = members.includes(host.name)
    const loss = outlooks.get(host.name) ?? null
    const storageFence = byHost.get(host.name) ?? null
    const said = { failoverMember, storageFence, loss }
    reports.push({ ...host, status: statusOf(host), instances, ...said })
  }
  return reports
}
