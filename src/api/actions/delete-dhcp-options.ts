/** DeleteDhcpOptions. */
import { z } from 'zod'
import { derivedId } from '../../model/derived-ids.ts'
import { changeAction } from '../change.ts'
import { dhcpOptionsIdSchema, requireDhcpOptions } from '../networks/dhcp-options.ts'
import { dependencies } from '../networks/vpcs.ts'

/**
 * Refuses a set that a VPC has, and the cloud's own set of a VPC, which goes with the VPC.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteDhcpOptions.html
 */
export const deleteDhcpOptions = changeAction({
  name: 'DeleteDhcpOptions',
  input: z.strictObject({ DhcpOptionsId: dhcpOptionsIdSchema }),
  async change(tx, { DhcpOptionsId: id }, { account }) {
    const isOwn = (await tx.vpcs({ account })).some((vpc) => derivedId('dopt', vpc.id) === id)
    if (isOwn) throw dependencies('dhcpOptions', id)
    await requireDhcpOptions(tx, account, id)
    if ((await tx.deleteDhcpOptions(id)) === 'in-use') throw dependencies('dhcpOptions', id)
    await tx.deleteTagsOf(id)
  },
})
