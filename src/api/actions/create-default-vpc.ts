/** CreateDefaultVpc: with a default subnet in each zone, and a way out. */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import { freeNetwork } from '../../plan/free-network.ts'
import { changeAction } from '../change.ts'
import { makeVpc } from '../new-networks.ts'
import { vpcView } from '../views/network.ts'
import { zoneNames } from '../zone-names.ts'

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateDefaultVpc.html */
export const createDefaultVpc = changeAction({
  name: 'CreateDefaultVpc',
  input: z.strictObject({}),
  async change(tx, _asked, changing) {
    const { account, newId, settings } = changing
    const vpcs = await tx.vpcs({ account })
    if (vpcs.some(({ isDefault }) => isDefault))
      throw refused(
        'DefaultVpcAlreadyExists',
        'A Default VPC already exists for this account in this region.',
      )
    const { vpc: cidr, subnet: first } = settings.defaultNetwork
    const zones = await zoneNames(tx, account)
    const vpc = await makeVpc(tx, { cidr, isDefault: true, dnsHostnames: true }, changing)
    const subnets: { readonly cidr: typeof cidr }[] = []
    for (const zone of [...zones].sort()) {
      const block = freeNetwork(cidr, first, subnets)
      if (block === undefined) break
      const subnet = { id: newId('subnet'), vpc: vpc.id, account, cidr: block, zone }
      await tx.insertSubnet({ ...subnet, isDefault: true, mapPublicIp: false })
      subnets.push(subnet)
    }
    return vpc
  },
  view: (vpc) => ({ Vpc: vpcView(vpc, []) }),
})
