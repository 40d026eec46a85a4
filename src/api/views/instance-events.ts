/**
 * What is announced for an instance, in the SDK's terms. Pure.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitoring-instances-status-check_sched.html
 */
import type { InstanceStatusEvent } from '@aws-sdk/client-ec2'
import { derivedId } from '../../model/derived-ids.ts'
import type { Lever } from '../../model/lever.ts'
import type { Instance } from '../../model/records.ts'
import { eventsWant } from '../../plan/levers.ts'
import type { InstanceDetails } from '../instances/instance-details.ts'

/** The events of an instance, whose levers these are. */
export function eventsView(
  { instance, host, tags }: InstanceDetails,
  levers: readonly Lever[],
): InstanceStatusEvent[] {
  const own = tags.filter(({ resource }) => resource === instance.id)
  const { events = [] } = eventsWant(instance, own, levers)
  return [
    ...eventsOfHost(instance, host),
    ...events.map(({ id, code, description, notBeforeMs }) => ({
      InstanceEventId: id,
      Code: code,
      Description: description,
      ...(notBeforeMs === null ? {} : { NotBefore: new Date(notBeforeMs) }),
    })),
  ]
}

/** A host that is drained will be stopped, and its instances with it. */
function eventsOfHost(
  { id, state }: Instance,
  host: InstanceDetails['host'],
): InstanceStatusEvent[] {
  if (host?.state !== 'draining' || state === 'stopped' || state === 'terminated') return []
  const since = host.drainingSinceMs ?? null
  return [
    {
      InstanceEventId: derivedId('instance-event', id),
      Code: 'instance-stop',
      Description: 'The host of the instance is being drained, and will be stopped',
      ...(since === null ? {} : { NotBefore: new Date(since) }),
    },
  ]
}
