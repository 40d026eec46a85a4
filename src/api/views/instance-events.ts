/**
 * What is announced for an instance, in the SDK's terms. Pure.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitoring-instances-status-check_sched.html
 */
import type { InstanceStatusEvent } from '@aws-sdk/client-ec2'
import { derivedId } from '../../model/derived-ids.ts'
import type { Lever, LeverEvent } from '../../model/lever.ts'
import type { Instance } from '../../model/records.ts'
import { announcedFor } from '../../plan/levers.ts'
import type { InstanceDetails } from '../instances/instance-details.ts'
import { latestStartMs } from '../instances/levers.ts'

/** The events of an instance, whose levers these are. */
export function eventsView(
  { instance, host, tags }: InstanceDetails,
  levers: readonly Lever[],
): InstanceStatusEvent[] {
  const own = tags.filter(({ resource }) => resource === instance.id)
  return [
    ...eventsOfHost(instance, host),
    ...eventsOfHang(instance),
    ...announcedFor(instance, own, levers).map(({ lever, event }) => leverEventView(lever, event)),
  ]
}

/** What a lever announces. It may be put off until the deadline. */
export function leverEventView({ strike }: Lever, event: LeverEvent): InstanceStatusEvent {
  const { id, code, description, notBeforeMs } = event
  return {
    InstanceEventId: id,
    Code: code,
    Description: description,
    ...(notBeforeMs === null || strike === null
      ? {}
      : {
          NotBefore: new Date(notBeforeMs),
          NotBeforeDeadline: new Date(latestStartMs(strike)),
        }),
  }
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

/** Its host reboots it because it hangs. */
function eventsOfHang({ id, state, bootCount, check }: Instance): InstanceStatusEvent[] {
  const isHung = check?.bootCount === bootCount && check.result === 'failed'
  if (!isHung || check.rebootAt === undefined || state !== 'running') return []
  return [
    {
      InstanceEventId: derivedId('instance-event', id),
      Code: 'instance-reboot',
      Description: 'The instance does not answer its host, and will be rebooted',
      NotBefore: new Date(check.rebootAt),
    },
  ]
}
