/** DescribeVolumes. */
import { z } from 'zod'
import { refuseMissing } from '../describe.ts'
import { describeAction } from '../read.ts'
import { idListSchema, missingVolumes, pagedShape, withoutEffect } from '../schemas.ts'
import { VOLUME_FILTERS, volumeView } from '../views/volume.ts'

/**
 * The account's volumes. Unlike elsewhere `MaxResults` may come with ids: some versions of the AWS
 * CLI always send it.
 */
export const describeVolumes = describeAction({
  name: 'DescribeVolumes',
  input: z.strictObject({
    ...pagedShape(5, 1000, { larger: 'limited' }),
    VolumeIds: idListSchema('vol', 'InvalidVolumeID.Malformed').default([]),
    IncludeManagedResources: withoutEffect(z.boolean().optional()),
  }),
  rows: ({ VolumeIds: ids }, { account, read }) =>
    read(async (tx) => {
      const isAll = ids.length === 0
      const volumes = await tx.volumes(isAll ? { account } : { account, ids })
      refuseMissing(ids, new Set(volumes.map(({ id }) => id)), missingVolumes)
      const tags = await tx.tags(isAll ? { account } : { account, resources: ids })
      const tagsOf = Map.groupBy(tags, (tag) => tag.resource)
      return volumes.map((volume) => ({ volume, tags: tagsOf.get(volume.id) ?? [] }))
    }),
  view: ({ volume, tags }, _asked, { settings }) => volumeView(volume, settings.region, tags),
  key: (view) => view.VolumeId ?? '',
  filters: VOLUME_FILTERS,
  tags: (view) => view.Tags ?? [],
  answer: (Volumes) => ({ Volumes }),
})
