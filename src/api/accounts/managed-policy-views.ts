/** Managed policies as IAM shows them, and how many have each. */
import type { Policy as PolicyView } from '@aws-sdk/client-iam'
import type { AccountId } from '../../model/ids.ts'
import type { ManagedPolicy } from '../../model/managed-policies.ts'
import type { ReadTx } from '../../store/store.ts'

/** The only version of each policy of the cloud. */
export const CLOUD_VERSION_ID = 'v1'
/** When they were written. */
const WRITTEN = new Date('2026-11-29T00:00:00.000Z')

/** The only version of a policy of the cloud, without its document. */
export const CLOUD_VERSION = {
  VersionId: CLOUD_VERSION_ID,
  IsDefaultVersion: true,
  CreateDate: WRITTEN,
}

/** How many users, groups and roles of the account have each managed policy, by its ARN. */
export async function attachmentsOf(
  tx: ReadTx,
  account: AccountId,
): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>()
  for (const { kind, name } of await tx.identityPolicies(account))
    if (kind === 'managed') counts.set(name, (counts.get(name) ?? 0) + 1)
  return counts
}

/** A policy of the cloud, as lists show it. */
export function policyView(
  { name, arn, id }: ManagedPolicy,
  counts: ReadonlyMap<string, number>,
): PolicyView {
  return {
    ...{ PolicyName: name, PolicyId: id, Arn: arn, Path: '/', DefaultVersionId: CLOUD_VERSION_ID },
    ...{ AttachmentCount: counts.get(arn) ?? 0, PermissionsBoundaryUsageCount: 0 },
    ...{ IsAttachable: true, CreateDate: WRITTEN, UpdateDate: WRITTEN },
  }
}
