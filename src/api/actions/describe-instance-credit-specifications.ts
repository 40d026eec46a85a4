/** DescribeInstanceCreditSpecifications. */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import { requireInstance } from '../instances/instances.ts'
import { describeAction } from '../read.ts'
import { idListSchema, pagedShape } from '../schemas.ts'

/** No type is burstable, and EC2 refuses instances that are not. */
export const describeInstanceCreditSpecifications = describeAction({
  name: 'DescribeInstanceCreditSpecifications',
  input: z.strictObject({
    ...pagedShape(5, 1000, { larger: 'refused' }),
    InstanceIds: idListSchema('i', 'InvalidInstanceID.Malformed').default([]),
  }),
  async rows({ InstanceIds: [first] }, { account, read }): Promise<readonly never[]> {
    if (first === undefined) return []
    const { id } = await read((tx) => requireInstance(tx, account, first))
    throw refused(
      'InstanceCreditSpecification.NotSupported',
      `The instance '${id}' is not of a burstable performance instance type`,
    )
  },
  view: (nothing: never) => nothing,
  key: () => '',
  filters: {},
  answer: (InstanceCreditSpecifications) => ({ InstanceCreditSpecifications }),
})
