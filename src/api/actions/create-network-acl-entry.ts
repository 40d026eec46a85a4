/** CreateNetworkAclEntry, ReplaceNetworkAclEntry and DeleteNetworkAclEntry. */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import type { NetworkAcl, NetworkAclEntry } from '../../model/network-acl.ts'
import type { ReadTx } from '../../store/store.ts'
import { changeAction } from '../change.ts'
import { askedEntry, entryKeyShape, entrySchema, missingEntry } from '../networks/network-acls.ts'
import { refuseUnrouted, requireNetworkAcl } from '../networks/routing.ts'

/**
 * Also of a default ACL.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateNetworkAclEntry.html
 */
export const createNetworkAclEntry = changeAction({
  name: 'CreateNetworkAclEntry',
  input: entrySchema,
  async change(tx, asked, { account, settings }) {
    await refuseUnrouted(tx, settings)
    await tx.takeTurn(account)
    const acl = await requireNetworkAcl(tx, account, asked.NetworkAclId)
    const entry = { ...askedEntry(asked), acl: acl.id, vpc: acl.vpc }
    const others = await entriesOf(tx, acl, entry)
    if (
      others.some(({ number }) => number === entry.number) ||
      (await tx.insertNetworkAclEntry(entry)) === 'exists'
    )
      throw refused(
        'NetworkAclEntryAlreadyExists',
        `The network acl entry identified by ${entry.number} already exists.`,
      )
    const limit = settings.quotas.entriesPerNetworkAcl
    if (others.length >= limit)
      throw refused(
        'NetworkAclEntryLimitExceeded',
        `The maximum number of network acl entries has been reached: ${limit} in each direction`,
      )
  },
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReplaceNetworkAclEntry.html */
export const replaceNetworkAclEntry = changeAction({
  name: 'ReplaceNetworkAclEntry',
  input: entrySchema,
  async change(tx, asked, { account, settings }) {
    await refuseUnrouted(tx, settings)
    const acl = await requireNetworkAcl(tx, account, asked.NetworkAclId)
    const entry = { ...askedEntry(asked), acl: acl.id, vpc: acl.vpc }
    const others = await entriesOf(tx, acl, entry)
    if (!others.some(({ number }) => number === entry.number)) throw missingEntry(entry.number)
    await tx.replaceNetworkAclEntry(entry)
  },
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteNetworkAclEntry.html */
export const deleteNetworkAclEntry = changeAction({
  name: 'DeleteNetworkAclEntry',
  input: z.strictObject(entryKeyShape),
  async change(tx, { NetworkAclId, Egress: egress, RuleNumber }, { account, settings }) {
    await refuseUnrouted(tx, settings)
    const acl = await requireNetworkAcl(tx, account, NetworkAclId)
    const entries = await entriesOf(tx, acl, { egress })
    const entry = entries.find(({ number }) => number === RuleNumber)
    if (entry === undefined) throw missingEntry(RuleNumber)
    await tx.deleteNetworkAclEntry(entry)
  },
})

async function entriesOf(
  tx: ReadTx,
  { id, vpc }: NetworkAcl,
  { egress }: Pick<NetworkAclEntry, 'egress'>,
): Promise<readonly NetworkAclEntry[]> {
  const entries = await tx.networkAclEntries({ vpcs: [vpc] })
  return entries.filter((entry) => entry.acl === id && entry.egress === egress)
}
