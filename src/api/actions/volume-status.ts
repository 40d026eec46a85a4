/** How volumes are: DescribeVolumeStatus, DescribeVolumeAttribute. */
import type {
  DescribeVolumeAttributeResult,
  DescribeVolumeStatusResult,
  VolumeStatusItem,
} from '@aws-sdk/client-ec2'
import { z } from 'zod'
import type { VolumeId } from '../../model/ids.ts'
import type { Volume } from '../../model/records.ts'
import { zoneId } from '../../model/zones.ts'
import { isAlive } from '../../plan/placement.ts'
import type { Action, Call } from '../action.ts'
import { mapInPieces } from '../budget.ts'
import { describe, refuseMissing } from '../describe.ts'
import type { FilterTable } from '../filters.ts'
import { dryRun, parseInput } from '../parameters.ts'
import { dryRunShape, idListSchema, idSchema, missingVolumes, pagedShape } from '../schemas.ts'

const MALFORMED = 'InvalidVolumeID.Malformed'

const statusSchema = z.strictObject({
  ...pagedShape(5, 1000, { larger: 'limited' }),
  VolumeIds: idListSchema('vol', MALFORMED).default([]),
  IncludeManagedResources: z.boolean().optional(),
})

const STATUS_FILTERS: FilterTable<VolumeStatusItem> = {
  'availability-zone': (item) => item.AvailabilityZone,
  'availability-zone-id': (item) => item.AvailabilityZoneId,
  'volume-status.details-name': (item) => item.VolumeStatus?.Details?.map(({ Name }) => Name),
  'volume-status.details-status': (item) => item.VolumeStatus?.Details?.map(({ Status }) => Status),
  'volume-status.status': (item) => item.VolumeStatus?.Status,
}

/** DescribeVolumeStatus. Of a volume on a host that is silent nobody can say how it is. */
export const describeVolumeStatus: Action = {
  name: 'DescribeVolumeStatus',
  async run(call): Promise<DescribeVolumeStatusResult> {
    const input = parseInput(statusSchema, call.input)
    dryRun(call)
    const { volumes, alive } = await findVolumes(call, input.VolumeIds)
    const views = await mapInPieces(call.budget, volumes, (volume) =>
      statusView(volume, call.parts.settings.region, alive.has(volume.host)),
    )
    const page = await describe(call, views, input, {
      action: 'DescribeVolumeStatus',
      key: (item) => item.VolumeId ?? '',
      filters: STATUS_FILTERS,
    })
    return { VolumeStatuses: [...page.items], NextToken: page.nextToken }
  },
}

function statusView(volume: Volume, region: string, hostAlive: boolean): VolumeStatusItem {
  return {
    Actions: [],
    AvailabilityZone: volume.zone,
    AvailabilityZoneId: zoneId(volume.zone, region),
    Events: [],
    VolumeId: volume.id,
    VolumeStatus: {
      Details: hostAlive
        ? [
            { Name: 'io-enabled', Status: 'passed' },
            { Name: 'io-performance', Status: 'not-applicable' },
          ]
        : [],
      Status: hostAlive ? 'ok' : 'insufficient-data',
    },
    AttachmentStatuses: [],
  }
}

const attributeSchema = z.strictObject({
  ...dryRunShape,
  VolumeId: idSchema('vol', MALFORMED),
  Attribute: z.enum(['autoEnableIO', 'productCodes']),
})

/** DescribeVolumeAttribute. I/O is never taken from a volume, so there is nothing to enable again. */
export const describeVolumeAttribute: Action = {
  name: 'DescribeVolumeAttribute',
  async run(call): Promise<DescribeVolumeAttributeResult> {
    const { VolumeId: id, Attribute } = parseInput(attributeSchema, call.input)
    dryRun(call)
    await findVolumes(call, [id])
    return Attribute === 'productCodes'
      ? { ProductCodes: [], VolumeId: id }
      : { AutoEnableIO: { Value: false }, VolumeId: id }
  },
}

/** The account's volumes or those with these ids, and which hosts are heard of; refuses one that does not exist. */
async function findVolumes(call: Call, ids: readonly VolumeId[]) {
  const { account } = call.caller
  const { volumes, hosts } = await call.parts.store.read(async (tx) => ({
    volumes: await tx.volumes(ids.length === 0 ? { account } : { account, ids }),
    hosts: await tx.hosts(),
  }))
  refuseMissing(ids, new Set(volumes.map(({ id }) => id)), missingVolumes)
  const alive = hosts.filter((host) => isAlive(host, call.parts.settings.host))
  return { volumes, alive: new Set(alive.map(({ name }) => name)) }
}
