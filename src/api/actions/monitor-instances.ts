/**
 * MonitorInstances and UnmonitorInstances. There is no detailed monitoring; the request is only
 * stored and shown.
 */
import type { InstanceMonitoring } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import type { InstanceId } from '../../model/ids.ts'
import { INSTANCE_OPTIONS } from '../../model/instance-options.ts'
import type { Tx } from '../../store/store.ts'
import { type Changing, changeAction } from '../change.ts'
import { instancesShape, requireInstances } from '../instances/instances.ts'

const schema = z.strictObject(instancesShape)

/** MonitorInstances. */
export const monitorInstances = changeAction({
  name: 'MonitorInstances',
  input: schema,
  change: monitor(true),
  view: (InstanceMonitorings) => ({ InstanceMonitorings }),
})

/** UnmonitorInstances. */
export const unmonitorInstances = changeAction({
  name: 'UnmonitorInstances',
  input: schema,
  change: monitor(false),
  view: (InstanceMonitorings) => ({ InstanceMonitorings }),
})

function monitor(monitoring: boolean) {
  return async (
    tx: Tx,
    { InstanceIds: ids }: { readonly InstanceIds: readonly InstanceId[] },
    { account }: Changing,
  ): Promise<InstanceMonitoring[]> => {
    const instances = await requireInstances(tx, account, ids)
    for (const { id, options = INSTANCE_OPTIONS } of instances)
      await tx.updateInstance(id, { options: { ...options, monitoring } })
    const State = monitoring ? 'enabled' : 'disabled'
    return ids.map((InstanceId) => ({ InstanceId, Monitoring: { State } }))
  }
}
