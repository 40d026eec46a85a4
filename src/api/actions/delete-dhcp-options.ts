/** DeleteDhcpOptions. */
import { z } from 'zod'
import { changeAction } from '../change.ts'
import {
  dhcpOptionsIdSchema,
  ownDhcpOptions,
  replacedDhcpOptions,
  requireDhcpOptions,
} from '../networks/dhcp-options.ts'
import { dependencies } from '../networks/vpcs.ts'

/**
 * Refuses a set that a VPC has. The cloud's own set of a VPC is there while the VPC has no other.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteDhcpOptions.html
 */
export const deleteDhcpOptions = changeAction({
  name: 'DeleteDhcpOptions',
  input: z.strictObject({ DhcpOptionsId: dhcpOptionsIdSchema }),
  async change(tx, { DhcpOptionsId: id }, { account }) {
    const own = await ownDhcpOptions(tx, account)
    if (own.some((one) => one === id)) throw dependencies('dhcpOptions', id)
    // Ansible deletes the set that a VPC had before.
    if ((await replacedDhcpOptions(tx, account)).some((one) => one === id)) return
    await requireDhcpOptions(tx, account, id)
    if ((await tx.deleteDhcpOptions(id)) === 'in-use') throw dependencies('dhcpOptions', id)
    await tx.deleteTagsOf(id)
  },
})
