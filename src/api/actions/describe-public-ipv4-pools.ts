/** DescribePublicIpv4Pools: the pools of the setting `network.pools`. */
import { z } from 'zod'
import { isAmong, refuseMissing } from '../describe.ts'
import { describeAction } from '../read.ts'
import { IDS_MAX, notFound, pagedShape, textSchema } from '../schemas.ts'
import { poolView } from '../views/address.ts'

/** All of them, in every account alike. */
export const describePublicIpv4Pools = describeAction({
  name: 'DescribePublicIpv4Pools',
  input: z.strictObject({
    ...pagedShape(1, 10, { larger: 'limited' }),
    PoolIds: z.array(textSchema).max(IDS_MAX).default([]),
  }),
  async rows({ PoolIds }, { read, settings: { pools, region } }) {
    refuseMissing(PoolIds, new Set(pools.map(({ name }) => name)), (missing) =>
      notFound('InvalidPoolID.NotFound', 'pool ID', missing),
    )
    const { ips, lostOf } = await read((tx) => tx.allocatedAddresses())
    const taken = new Set(ips)
    const isWanted = isAmong(PoolIds)
    return pools
      .filter(({ name }) => isWanted(name))
      .map((pool) => poolView(pool, { taken, lostOf, region }))
  },
  view: (pool) => pool,
  key: (pool) => pool.PoolId ?? '',
  filters: {},
  tags: (pool) => pool.Tags ?? [],
  answer: (PublicIpv4Pools) => ({ PublicIpv4Pools }),
})
