/** DescribeVolumeStatus. */
import type { VolumeStatusItem } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import type { HostName } from '../../model/ids.ts'
import type { Volume } from '../../model/records.ts'
import { zoneId } from '../../model/zones.ts'
import { isAlive } from '../../plan/placement.ts'
import type { ReadTx } from '../../store/store.ts'
import { positionOfId, refuseMissing } from '../describe.ts'
import { describeAction } from '../read.ts'
import { idListSchema, missingVolumes, pagedShape, withoutEffect } from '../schemas.ts'

/** The status of volumes. It is unknown on a host without a valid lease. */
export const describeVolumeStatus = describeAction({
  name: 'DescribeVolumeStatus',
  input: z.strictObject({
    ...pagedShape(5, 1000, { larger: 'limited' }),
    VolumeIds: idListSchema('vol', 'InvalidVolumeID.Malformed').default([]),
    IncludeManagedResources: withoutEffect(z.boolean().optional()),
  }),
  rows: ({ VolumeIds: ids }, { account, read, settings }) =>
    ids.length === 0
      ? null
      : read(async (tx) => {
          const volumes = await tx.volumes({ account, ids })
          refuseMissing(ids, new Set(volumes.map(({ id }) => id)), missingVolumes)
          return await withHealth(tx, volumes, settings.host)
        }),
  parts: {
    narrowing: { 'availability-zone': 'zone' },
    positionOf: positionOfId,
    read: (query, _asked, { account, read, settings }) =>
      read(async (tx) => {
        const { ids, next } = await tx.volumePart(query)
        const volumes = await tx.volumes({ account, ids })
        return { rows: await withHealth(tx, volumes, settings.host), next }
      }),
  },
  view: ({ volume, isHostAlive }, _asked, { settings }) =>
    statusView(volume, settings.region, isHostAlive),
  key: (item) => item.VolumeId ?? '',
  filters: {
    'availability-zone': (item) => item.AvailabilityZone,
    'availability-zone-id': (item) => item.AvailabilityZoneId,
    'volume-status.details-name': (item) => item.VolumeStatus?.Details?.map(({ Name }) => Name),
    'volume-status.details-status': (item) =>
      item.VolumeStatus?.Details?.map(({ Status }) => Status),
    'volume-status.status': (item) => item.VolumeStatus?.Status,
  },
  answer: (VolumeStatuses) => ({ VolumeStatuses }),
})

/** The volumes, each with whether its host is alive. */
async function withHealth(tx: ReadTx, volumes: readonly Volume[], self: HostName) {
  const hosts = await tx.hosts([...new Set(volumes.map(({ host }) => host))])
  const alive = new Set(hosts.flatMap((host) => (isAlive(host, self) ? host.name : [])))
  return volumes.map((volume) => ({ volume, isHostAlive: alive.has(volume.host) }))
}

function statusView(volume: Volume, region: string, isHostAlive: boolean): VolumeStatusItem {
  return {
    Actions: [],
    AvailabilityZone: volume.zone,
    AvailabilityZoneId: zoneId(volume.zone, region),
    Events: [],
    VolumeId: volume.id,
    VolumeStatus: {
      Details: isHostAlive
        ? [
            { Name: 'io-enabled', Status: 'passed' },
            { Name: 'io-performance', Status: 'not-applicable' },
          ]
        : [],
      Status: isHostAlive ? 'ok' : 'insufficient-data',
    },
    AttachmentStatuses: [],
  }
}
