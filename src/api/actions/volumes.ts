/**
 * Volumes: DescribeVolumes, DeleteVolume. Which of them outlive their instance, ModifyInstanceAttribute says.
 *
 * A volume lies on one host. What is asked of it is written to the records and its host rung, whichever host took the request; a host
 * that is away does it when it is back.
 */
import type { DescribeVolumesResult } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import type { Action } from '../action.ts'
import { mapInPieces } from '../budget.ts'
import { describe, refuseMissing } from '../describe.ts'
import { dryRun, parseInput } from '../parameters.ts'
import { idListSchema, missingVolumes, pagedShape } from '../schemas.ts'
import { VOLUME_FILTERS, volumeView } from '../views/volume.ts'

const describeSchema = z.strictObject({
  ...pagedShape(5, 1000, { larger: 'limited' }),
  VolumeIds: idListSchema('vol', 'InvalidVolumeID.Malformed').optional(),
  IncludeManagedResources: z.boolean().optional(),
})

/** DescribeVolumes. Unlike elsewhere `MaxResults` may come with ids: some versions of the AWS CLI always send it. */
export const describeVolumes: Action = {
  name: 'DescribeVolumes',
  async run(call): Promise<DescribeVolumesResult> {
    const input = parseInput(describeSchema, call.input)
    dryRun(call)
    const { account } = call.caller
    const ids = input.VolumeIds?.length === 0 ? undefined : input.VolumeIds
    const { volumes, tags } = await call.parts.store.read(async (tx) => ({
      volumes: await tx.volumes(ids === undefined ? { account } : { account, ids }),
      tags: await tx.tags(ids === undefined ? { account } : { account, resources: ids }),
    }))
    refuseMissing(ids, new Set(volumes.map(({ id }) => id)), missingVolumes)
    const tagsOf = Map.groupBy(tags, (tag) => tag.resource)
    const views = await mapInPieces(call.budget, volumes, (volume) =>
      volumeView(volume, call.parts.settings.region, tagsOf.get(volume.id) ?? []),
    )
    const page = await describe(call, views, input, {
      action: 'DescribeVolumes',
      key: (view) => view.VolumeId ?? '',
      filters: VOLUME_FILTERS,
      tags: (view) => view.Tags ?? [],
    })
    return { Volumes: [...page.items], NextToken: page.nextToken }
  },
}
