/** AssociateDhcpOptions: gives a VPC a set of DHCP options, or the cloud's own back. */
import { z } from 'zod'
import { derivedId } from '../../model/derived-ids.ts'
import type { Version } from '../../model/version.ts'
import { changeAction } from '../change.ts'
import {
  dhcpOptionsIdSchema,
  missingDhcpOptions,
  requireDhcpOptions,
} from '../networks/dhcp-options.ts'
import { requireVpc, vpcIdSchema } from '../networks/vpcs.ts'
import { refuseOlderHosts } from '../older-hosts.ts'

/** What stands for the cloud's own set. */
const DEFAULT = 'default'
/** Older hosts give their instances the cloud's own. */
const OPTIONS_VERSION: Version = [0, 3]

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
  async change(tx, { VpcId, DhcpOptionsId: id }, { account, settings }) {
    const vpc = await requireVpc(tx, account, VpcId)
    if (id === DEFAULT || id === derivedId('dopt', vpc.id)) {
      await tx.associateDhcpOptions(vpc.id, null)
      return
    }
    await refuseOlderHosts(tx, settings, OPTIONS_VERSION, 'sets of DHCP options')
    await requireDhcpOptions(tx, account, id)
    if ((await tx.associateDhcpOptions(vpc.id, id)) === 'no-options') throw missingDhcpOptions([id])
  },
})
