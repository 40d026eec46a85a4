/**
 * RunInstances: everything that a launch chooses and writes, in one transaction.
 *
 * The client token comes first, so that of two requests with the same one only one goes on; then host, address and
 * records for as many instances as there is room for, up to MaxCount. Fewer than MinCount, or any failure on the way, and
 * nothing of it stays. Capacity that was taken here comes back when an agent reports an instance gone.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/Run_Instance_Idempotency.html
 */
import { createHash } from 'node:crypto'
import type { Reservation } from '@aws-sdk/client-ec2'
import { isoTime } from '../../lib/clock.ts'
import { AtollError, refused, unavailable } from '../../model/errors.ts'
import { formatId, ID_BYTES, type ReservationId } from '../../model/ids.ts'
import { placeableHosts } from '../../plan/placement.ts'
import type { ReadTx, Tx } from '../../store/store.ts'
import type { Action, Call } from '../action.ts'
import { type InstanceDetails, instanceDetails } from '../instance-details.ts'
import type { CatalogueReading } from '../launch/catalogue.ts'
import { launchChoices } from '../launch/choices.ts'
import { type LaunchOrder, parseLaunchOrder } from '../launch/order.ts'
import { randomNumber, writeLaunch } from '../launch/records.ts'
import { dryRun } from '../parameters.ts'
import { instanceView } from '../views/instance.ts'
import { reservationsView } from '../views/reservation.ts'

const ACTION = 'RunInstances'

/** RunInstances. */
export const runInstances: Action = {
  name: ACTION,
  async run(call): Promise<Reservation> {
    const { bus, settings } = call.parts
    const order = parseLaunchOrder(call.input, settings.maxInstancesPerLaunch)
    const details = await launchSomewhere(call, order)
    for (const host of new Set(details.map(({ instance }) => instance.host))) bus.ring(host)
    bus.ringAll()
    const listed = details
      .toSorted((a, b) => a.instance.launchIndex - b.instance.launchIndex)
      .map((one) => ({
        reservation: one.instance.reservation,
        owner: one.instance.account,
        view: instanceView(one, settings),
      }))
    return reservationsView(listed)[0] ?? {}
  },
}

/** Launches by the hosts that are known. What these refuse is asked once more of the hosts as they are. */
async function launchSomewhere(
  call: Call,
  order: LaunchOrder,
): Promise<readonly InstanceDetails[]> {
  const { store, catalogue } = call.parts
  let isFresh = true
  const attempt = (fresh: boolean) =>
    store.transaction(
      async (tx) => {
        const reading = await catalogue.read(tx, { fresh })
        isFresh = reading.isFresh
        return await launchOnce(tx, call, order, reading)
      },
      {
        // What two launches may fight for is a key or a conditional statement: neither need be run again for what it read.
        reads: 'propose',
        // The second run finds the token of the first, and answers with what that made.
        repeats: order.clientToken === null ? 'guarded' : 'harmless',
      },
    )
  try {
    return await attempt(false)
  } catch (error) {
    if (isFresh || !(error instanceof AtollError && error.kind === 'refused')) throw error
    return await attempt(true)
  }
}

/** The launch, or what an earlier one with the same token made. */
async function launchOnce(
  tx: Tx,
  call: Call,
  order: LaunchOrder,
  reading: CatalogueReading,
): Promise<readonly InstanceDetails[]> {
  const reservation = formatId('r', call.parts.random(ID_BYTES))
  if (order.clientToken !== null && call.input['DryRun'] !== true) {
    const used = await tx.insertClientToken({
      account: call.caller.account,
      action: ACTION,
      token: order.clientToken,
      parametersHash: hashParameters(call.input),
      result: reservation,
      createdAt: isoTime(call.parts.clock.now()),
    })
    if (used === 'exists') return await earlierLaunch(tx, call, order.clientToken)
  }
  return await launch(tx, call, order, reading, reservation)
}

async function earlierLaunch(
  tx: ReadTx,
  call: Call,
  token: string,
): Promise<readonly InstanceDetails[]> {
  const { account } = call.caller
  const earlier = await tx.clientToken(account, ACTION, token)
  // The key knows the other transaction's token; this one may not see it yet.
  if (earlier === undefined)
    throw unavailable('A request with the same ClientToken is in progress; try again')
  if (earlier.parametersHash !== hashParameters(call.input)) {
    throw refused(
      'IdempotentParameterMismatch',
      'Arguments on this idempotent request are inconsistent with arguments used in previous request(s)',
    )
  }
  const ids = (await tx.instances({ account }))
    .filter((instance) => instance.reservation === earlier.result)
    .map((instance) => instance.id)
  if (ids.length === 0) {
    throw refused(
      'IdempotentInstanceTerminated',
      'The instances of the earlier request with this ClientToken are terminated; use another token',
    )
  }
  return await instanceDetails(tx, account, ids)
}

/** Hash of what the request asks for: order of parameters, the token itself and DryRun do not matter. */
function hashParameters(input: Call['input']): string {
  const { ClientToken: _token, DryRun: _dryRun, ...asked } = input
  const text = JSON.stringify(asked, (_key, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  )
  return createHash('sha256').update(text).digest('hex')
}

async function launch(
  tx: Tx,
  call: Call,
  order: LaunchOrder,
  reading: CatalogueReading,
  reservation: ReservationId,
): Promise<readonly InstanceDetails[]> {
  const { account } = call.caller
  const hosts = placeableHosts(reading.hosts, call.parts.settings.host)
  const choices = await launchChoices(tx, account, order, { ...reading, hosts }, randomNumber(call))
  dryRun(call)
  return await writeLaunch(tx, call, order, choices, reservation)
}
