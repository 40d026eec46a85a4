/** AssociateDhcpOptions: gives a VPC a set of DHCP options, or the cloud's own back. */
import { z } from 'zod'
import { derivedId } from '../../model/derived-ids.ts'
import { changeAction } from '../change.ts'
import { dhcpOptionsIdSchema, missingDhcpOptions, requireDhcpOptions } from '../dhcp-options.ts'
import { requireVpc, vpcIdSchema } from '../vpcs.ts'

/** What stands for the cloud's own set. */
const DEFAULT = 'default'

/**
 * Instances hear of it with their next lease, at the latest; containers that do not ask by DHCP
 * keep what they were made with.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssociateDhcpOptions.html
 */
export const associateDhcpOptions = changeAction({
  name: 'AssociateDhcpOptions',
  input: z.strictObject({
    VpcId: vpcIdSchema,
    DhcpOptionsId: z.union([z.literal(DEFAULT), dhcpOptionsIdSchema]),
  }),
  async change(tx, { VpcId, DhcpOptionsId: id }, { account }) {
    const vpc = await requireVpc(tx, account, VpcId)
    if (id === DEFAULT || id === derivedId('dopt', vpc.id)) {
      await tx.associateDhcpOptions(vpc.id, null)
      return
    }
    await requireDhcpOptions(tx, account, id)
    if ((await tx.associateDhcpOptions(vpc.id, id)) === 'no-options') throw missingDhcpOptions([id])
  },
})
