/** GetSubnetCidrReservations: subnets have no reservations. */
import { z } from 'zod'
import { describeAction } from '../read.ts'
import { idSchema, pagedShape } from '../schemas.ts'
import { findTaggable } from '../taggable.ts'

/** Lists none of a subnet that there is. */
export const getSubnetCidrReservations = describeAction({
  name: 'GetSubnetCidrReservations',
  input: z.strictObject({
    ...pagedShape(1, 1000, { larger: 'limited' }),
    SubnetId: idSchema('subnet', 'InvalidSubnetID.Malformed'),
  }),
  async rows({ SubnetId }, { account, read }): Promise<readonly never[]> {
    await read((tx) => findTaggable(tx, account, [SubnetId]))
    return []
  },
  view: (nothing: never) => nothing,
  key: () => '',
  filters: {},
  answer: () => ({ SubnetIpv4CidrReservations: [], SubnetIpv6CidrReservations: [] }),
})
