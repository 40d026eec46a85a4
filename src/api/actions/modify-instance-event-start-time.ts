/**
 * ModifyInstanceEventStartTime: puts off the end or the stop that a tag of the instance announced
 * (`model/lever.ts`). As in EC2, an event can be put off until its deadline, and one without a
 * deadline cannot. The operator's drain of a host has none.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/reschedule-event.html
 */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import type { LeverEvent, Strike } from '../../model/lever.ts'
import { announcedFor } from '../../plan/levers.ts'
import { changeAction } from '../change.ts'
import { findInstances } from '../instances/instances.ts'
import { latestStartMs } from '../instances/levers.ts'
import { idSchema, textSchema } from '../schemas.ts'
import { eventsView, leverEventView } from '../views/instance-events.ts'

/** ModifyInstanceEventStartTime. */
export const modifyInstanceEventStartTime = changeAction({
  name: 'ModifyInstanceEventStartTime',
  input: z.strictObject({
    InstanceId: idSchema('i', 'InvalidInstanceID.Malformed'),
    InstanceEventId: textSchema,
    NotBefore: z.date(),
  }),
  async change(tx, { InstanceId, InstanceEventId: id, NotBefore }, { account, now }) {
    const [details] = await findInstances(tx, account, [InstanceId])
    const levers = await tx.levers([InstanceId])
    if (details === undefined) throw missing(id)
    const own = details.tags.filter(({ resource }) => resource === InstanceId)
    const found = announcedFor(details.instance, own, levers).find(({ event }) => event.id === id)
    if (found === undefined) {
      const isOther = eventsView(details, []).some((event) => event.InstanceEventId === id)
      throw isOther
        ? unmovable(`The event '${id}' has no deadline: it is the operator's`)
        : missing(id)
    }
    const { lever, event } = found
    const strike = movable(lever.strike, event)
    refuseTime(NotBefore, strike, now)
    const notBeforeMs = NotBefore.getTime()
    const moved = { ...lever, strike: { ...strike, notBeforeMs } }
    await tx.putLever(moved)
    return leverEventView(moved, { ...event, notBeforeMs })
  },
  view: (Event) => ({ Event }),
})

function movable(strike: Strike | null, { id, notBeforeMs }: LeverEvent): Strike {
  if (strike !== null && notBeforeMs !== null) return strike
  throw unmovable(`The event '${id}' has no start: the instance is protected`)
}

function refuseTime(notBefore: Date, strike: Strike, now: string): void {
  const from = new Date(Math.max(strike.dueMs, Date.parse(now)))
  const until = new Date(latestStartMs(strike))
  if (notBefore >= from && notBefore <= until) return
  throw unmovable(
    `NotBefore must be a time from ${from.toISOString()} until the deadline, ${until.toISOString()}`,
  )
}

function unmovable(why: string): Error {
  return refused('InvalidInstanceEventStartTime', why)
}

function missing(id: string): Error {
  return refused('InvalidInstanceEventIDNotFound', `The instance event ID '${id}' does not exist`)
}
