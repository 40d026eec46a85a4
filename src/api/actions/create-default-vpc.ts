/** CreateDefaultVpc: with a default subnet in each zone, and a way out. */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import { changeAction } from '../change.ts'
import { makeDefaultVpc } from '../networks/new-networks.ts'
import { vpcView } from '../views/network.ts'

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateDefaultVpc.html */
export const createDefaultVpc = changeAction({
  name: 'CreateDefaultVpc',
  input: z.strictObject({}),
  async change(tx, _asked, changing) {
    const vpcs = await tx.vpcs({ account: changing.account })
    if (vpcs.some(({ isDefault }) => isDefault))
      throw refused(
        'DefaultVpcAlreadyExists',
        'A Default VPC already exists for this account in this region.',
      )
    return await makeDefaultVpc(tx, changing)
  },
  view: (vpc) => ({ Vpc: vpcView(vpc, []) }),
})
