/** DescribeVolumes. */
import { z } from 'zod'
import type { AccountId } from '../../model/ids.ts'
import type { Volume } from '../../model/records.ts'
import type { ReadTx } from '../../store/store.ts'
import { positionOfId, refuseMissing } from '../describe.ts'
import { describeAction } from '../read.ts'
import { idListSchema, missingVolumes, pagedShape, withoutEffect } from '../schemas.ts'
import { VOLUME_FILTERS, VOLUME_NARROWING, volumeView } from '../views/volume.ts'

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
    ids.length === 0
      ? null
      : read(async (tx) => {
          const volumes = await tx.volumes({ account, ids })
          refuseMissing(ids, new Set(volumes.map(({ id }) => id)), missingVolumes)
          return await withTags(tx, account, volumes)
        }),
  parts: {
    narrowing: VOLUME_NARROWING,
    positionOf: positionOfId,
    read: (query, _asked, { account, read }) =>
      read(async (tx) => {
        const { ids, next } = await tx.volumePart(query)
        return { rows: await withTags(tx, account, await tx.volumes({ account, ids })), next }
      }),
  },
  view: ({ volume, tags }, _asked, { settings }) => volumeView(volume, settings.region, tags),
  key: (view) => view.VolumeId ?? '',
  filters: VOLUME_FILTERS,
  tags: (view) => view.Tags ?? [],
  answer: (Volumes) => ({ Volumes }),
})

async function withTags(tx: ReadTx, account: AccountId, volumes: readonly Volume[]) {
  const tags = await tx.tags({ account, resources: volumes.map(({ id }) => id) })
  const tagsOf = Map.groupBy(tags, (tag) => tag.resource)
  return volumes.map((volume) => ({ volume, tags: tagsOf.get(volume.id) ?? [] }))
}
