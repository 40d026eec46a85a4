/**
 * RunInstances: everything that a launch chooses and writes, in one transaction.
 *
 * The client token comes first, so that of two requests with the same one only one goes on; then
 * host, address and records for as many instances as there is room for, up to MaxCount. Fewer than
 * MinCount, or any failure on the way, and nothing of it stays. Capacity that was taken here comes
 * back when an agent reports an instance gone.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html
 */
import { refused } from '../../model/errors.ts'
import type { AccountId, ReservationId } from '../../model/ids.ts'
import { placeableHosts } from '../../plan/placement.ts'
import type { ReadTx, Tx } from '../../store/store.ts'
import { type Changing, changeAction } from '../change.ts'
import { type InstanceDetails, instanceDetails } from '../instance-details.ts'
import type { CatalogueReader } from '../launch/catalogue.ts'
import { launchChoices } from '../launch/choices.ts'
import { createRandomIds } from '../launch/random-ids.ts'
import { writeLaunch } from '../launch/records.ts'
import { type LaunchRequest, launchSchema, parseLaunchRequest } from '../launch/request.ts'
import { refuseTooManyGroups } from '../security-groups.ts'
import { instanceView } from '../views/instance.ts'
import { reservationsView } from '../views/reservation.ts'

/** One request for a launch. */
interface Launch {
  readonly order: LaunchRequest
  readonly reservation: ReservationId
  readonly catalogue: CatalogueReader
}

/** RunInstances. */
export const runInstances = changeAction({
  name: 'RunInstances',
  input: launchSchema,
  prepare: (given, { settings, newId, parts }): Launch => ({
    order: parseLaunchRequest(given, settings.maxInstancesPerLaunch),
    reservation: newId('r'),
    catalogue: parts.catalogue.reader(),
  }),
  once: ({ order, reservation }, { account }) => ({
    // A claim needs a key of its own (`store.ts`). Nobody else uses this one: a reservation is new.
    // The row costs what a guarded commit would. The ids of its instances could be the key instead;
    // that was not built, because the AWS CLI and every SDK send a token.
    token: order.clientToken ?? reservation,
    result: reservation,
    repeat: (tx, result) => earlierLaunch(tx, account, result),
  }),
  change: launch,
  // What two launches may fight for is a key or a conditional statement: neither need be run again
  // for what it read.
  kind: 'claim',
  retry: ({ catalogue }) => catalogue.renew(),
  view(details, { settings }) {
    const listed = details
      .toSorted((a, b) => a.instance.launchIndex - b.instance.launchIndex)
      .map((one) => ({
        reservation: one.instance.reservation,
        owner: one.instance.account,
        view: instanceView(one, settings),
      }))
    return reservationsView(listed)[0] ?? {}
  },
})

async function launch(
  tx: Tx,
  { order, reservation, catalogue }: Launch,
  { account, now, settings, budget, dryRun, newId, parts }: Changing,
): Promise<readonly InstanceDetails[]> {
  const draw = createRandomIds(newId, parts.random)
  const known = await catalogue.read(tx)
  const { host, drivers } = settings
  const catalogued = { ...known, hosts: placeableHosts(known.hosts, host), drivers }
  const choices = await launchChoices(tx, account, order, catalogued, draw.number())
  refuseTooManyGroups(choices.groups.length, settings)
  // EC2 does not say whether there would be room, either.
  dryRun()
  // Hosts that were read for an earlier launch may have room again: fewer than was asked for are
  // only sure by a new reading.
  const least = catalogue.isOld() ? order.maxCount : order.minCount
  return await writeLaunch(tx, { order, choices, least, account, reservation, now, draw, budget })
}

/** The launch that was made with the same token. */
async function earlierLaunch(
  tx: ReadTx,
  account: AccountId,
  reservation: string,
): Promise<readonly InstanceDetails[]> {
  const ids = (await tx.instances({ account }))
    .filter((instance) => instance.reservation === reservation)
    .map((instance) => instance.id)
  if (ids.length === 0) {
    throw refused(
      'IdempotentInstanceTerminated',
      'The instances of the earlier request with this ClientToken are terminated; use another token',
    )
  }
  return await instanceDetails(tx, account, ids)
}
