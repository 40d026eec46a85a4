/** DescribeInstanceTypes. */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import { isAmong, refuseIdsWithMaxResults, refuseMissing } from '../describe.ts'
import { describeAction } from '../read.ts'
import { pagedShape, textSchema, withoutEffect } from '../schemas.ts'
import { INSTANCE_TYPE_FILTERS, instanceTypeView } from '../views/instance-type.ts'

const TYPES_MAX = 100

/** The cloud's own instance types. A type fits wherever a host has the capacity. */
export const describeInstanceTypes = describeAction({
  name: 'DescribeInstanceTypes',
  input: z.strictObject({
    ...pagedShape(5, 100, { larger: 'refused' }),
    InstanceTypes: z.array(textSchema).max(TYPES_MAX).default([]),
    IncludeUnsupportedInRegion: withoutEffect(z.boolean().optional()),
  }),
  check: (asked) => refuseIdsWithMaxResults('InstanceTypes', asked.InstanceTypes, asked),
  async rows({ InstanceTypes }, { read }) {
    const types = await read((tx) => tx.instanceTypes())
    refuseMissing([...new Set(InstanceTypes)], new Set(types.map(({ name }) => name)), (missing) =>
      refused(
        'InvalidInstanceType',
        `The following supplied instance types do not exist: [${missing.join(', ')}]`,
      ),
    )
    const isWanted = isAmong(InstanceTypes)
    return types.filter(({ name }) => isWanted(name))
  },
  // The hosts of a cloud have one architecture, so far this one.
  view: (type, _asked, { settings }) =>
    instanceTypeView(type, 'x86_64', settings.rates, settings.nicLimits),
  key: (type) => type.InstanceType ?? '',
  filters: INSTANCE_TYPE_FILTERS,
  answer: (InstanceTypes) => ({ InstanceTypes }),
})
