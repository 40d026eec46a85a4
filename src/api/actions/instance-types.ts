/** Instance types: DescribeInstanceTypes. The cloud's own table; a type fits wherever a host has the room. */
import type { DescribeInstanceTypesResult } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import type { Action } from '../action.ts'
import { describe, refuseIdsWithMaxResults, refuseMissing } from '../describe.ts'
import { dryRun, parseInput } from '../parameters.ts'
import { pagedShape, textSchema } from '../schemas.ts'
import { INSTANCE_TYPE_FILTERS, instanceTypeView } from '../views/instance-type.ts'

const TYPES_MAX = 100

const schema = z.strictObject({
  ...pagedShape(5, 100, { larger: 'refused' }),
  InstanceTypes: z.array(textSchema).max(TYPES_MAX).default([]),
  IncludeUnsupportedInRegion: z.boolean().optional(),
})

/** DescribeInstanceTypes. */
export const describeInstanceTypes: Action = {
  name: 'DescribeInstanceTypes',
  async run(call): Promise<DescribeInstanceTypesResult> {
    const input = parseInput(schema, call.input)
    refuseIdsWithMaxResults('InstanceTypes', input.InstanceTypes, input)
    dryRun(call)
    const wanted = new Set(input.InstanceTypes)
    const types = await call.parts.store.read((tx) => tx.instanceTypes())
    refuseMissing([...wanted], new Set(types.map(({ name }) => name)), (missing) =>
      refused(
        'InvalidInstanceType',
        `The following supplied instance types do not exist: [${missing.join(', ')}]`,
      ),
    )
    const views = types
      .filter(({ name }) => wanted.size === 0 || wanted.has(name))
      // The hosts of a cloud are of one architecture, and so far of this one.
      .map((type) => instanceTypeView(type, 'x86_64'))
    const page = await describe(call, views, input, {
      action: 'DescribeInstanceTypes',
      key: (type) => type.InstanceType ?? '',
      filters: INSTANCE_TYPE_FILTERS,
    })
    return { InstanceTypes: [...page.items], NextToken: page.nextToken }
  },
}
