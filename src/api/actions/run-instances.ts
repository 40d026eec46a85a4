/**
 * RunInstances: everything that a launch chooses and writes, in one transaction.
 *
 * The client token comes first, so that only one of two requests with the same token continues.
 * Then come host, address and records for as many instances as there is room for, up to MaxCount.
 * With fewer than MinCount, or after a failure, nothing remains. The capacity is returned when an
 * agent reports that an instance is gone.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html
 */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import type { AccountId, ReservationId } from '../../model/ids.ts'
import { placeableHosts } from '../../plan/placement.ts'
import type { ReadTx, Tx } from '../../store/store.ts'
import { requireAllowed } from '../accounts/authorization.ts'
import { type Changing, changeAction } from '../change.ts'
import { type InstanceDetails, instanceDetails } from '../instances/instance-details.ts'
import { givenProfile } from '../instances/instance-profiles.ts'
import { requireTemplate, requireVersion } from '../instances/launch-templates.ts'
import type { CatalogueReader } from '../launch/catalogue.ts'
import { launchChoices } from '../launch/choices.ts'
import { needsNewHosts, refuseTooMuch } from '../launch/nics.ts'
import { usableOffers } from '../launch/offers.ts'
import { createRandomIds } from '../launch/random-ids.ts'
import { writeLaunch } from '../launch/records.ts'
import {
  type LaunchRequest,
  launchSchema,
  launchShape,
  parseLaunchRequest,
} from '../launch/request.ts'
import { overridden } from '../launch/template-data.ts'
import { templateReference } from '../launch/template-reference.ts'
import { addressSource } from '../networks/addresses.ts'
import { refuseNicsForOlderHosts, roomForNics } from '../networks/network-interfaces.ts'
import { parseInput } from '../parameters.ts'
import { allowedInstances } from '../quotas.ts'
import { instanceView } from '../views/instance.ts'
import { reservationsView } from '../views/reservation.ts'

/** One request for a launch. */
interface Launch {
  /** Null: it names a launch template, which is read with the rest. */
  readonly order: LaunchRequest | null
  readonly given: z.output<typeof givenSchema>
  readonly reservation: ReservationId
  readonly catalogue: CatalogueReader
}

/** All other parameters are parsed once a template has contributed its own. */
const givenSchema = z
  .looseObject({
    LaunchTemplate: launchShape.LaunchTemplate,
    ClientToken: launchShape.ClientToken,
  })
  .meta({ parsedBy: launchSchema })

/** RunInstances. */
export const runInstances = changeAction({
  name: 'RunInstances',
  input: givenSchema,
  prepare: (given, { settings, newId, parts }): Launch => ({
    order:
      given.LaunchTemplate === undefined
        ? parseLaunchRequest(parseInput(launchSchema, given), settings.maxInstancesPerLaunch)
        : null,
    given,
    reservation: newId('r'),
    catalogue: parts.catalogue.reader(),
  }),
  once: ({ given, reservation }, { account }) => ({
    // A claim needs a key of its own (`store.ts`). The reservation is one, because it is new. The
    // row costs as much as a guarded commit. The ids of its instances could be the key instead;
    // that was not built, because the AWS CLI and every SDK send a token.
    token: given.ClientToken ?? reservation,
    result: reservation,
    repeat: (tx, result) => earlierLaunch(tx, account, result),
  }),
  change: launch,
  // What two launches may compete for is a key or a conditional statement, so neither must be run
  // again because of what it has read.
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
  { order: asked, given, reservation, catalogue }: Launch,
  changing: Changing,
): Promise<readonly InstanceDetails[]> {
  const { account, now, settings, metadata, budget, dryRun, newId, parts } = changing
  const draw = createRandomIds(newId, parts.random)
  const order = asked ?? (await orderFromTemplate(tx, given, changing))
  const known = await catalogue.read(tx)
  const { host, drivers } = settings
  const catalogued = { ...known, hosts: placeableHosts(known.hosts, host), drivers }
  const choices = await launchChoices(tx, account, order, catalogued, draw.number())
  refuseTooMuch(choices.nics, order.type, settings)
  if (choices.nics.some(needsNewHosts)) await refuseNicsForOlderHosts(tx, settings)
  const publicAddresses =
    (order.network.isPublic ?? choices.subnet.mapPublicIp)
      ? addressSource(settings, { zone: choices.subnet.zone }, draw)
      : null
  const allowed = await allowedInstances(tx, account, settings.quotas, choices.demand, {
    least: order.minCount,
    most: order.maxCount,
  })
  const profile = await givenProfile(tx, order.profile, changing)
  // In EC2, a dry run does not check capacity either.
  dryRun()
  const made = choices.nics.filter(({ existing }) => existing === null).length
  const room = await roomForNics(tx, account, made * order.minCount, settings)
  const maxCount = made === 0 ? allowed : Math.min(allowed, Math.floor(room / made))
  // Hosts in an old reading may have room again. So a smaller number than requested is only certain
  // after a new reading.
  const least = catalogue.isOld() ? maxCount : order.minCount
  return await writeLaunch(tx, {
    order: { ...order, maxCount },
    choices,
    reserve: known.reserve,
    offers: usableOffers(known.offers, choices, order),
    metadata,
    least,
    account,
    reservation,
    now,
    draw,
    publicAddresses,
    profile,
    budget,
  })
}

/**
 * The order of a request that names a launch template. What the template adds needs the same rights
 * as what a request says.
 */
async function orderFromTemplate(
  tx: ReadTx,
  { LaunchTemplate: named = {}, ...given }: Launch['given'],
  { account, caller, settings, now, sourceIp, parts }: Changing,
): Promise<LaunchRequest> {
  const { region, maxInstancesPerLaunch } = settings
  const template = await requireTemplate(tx, account, templateReference(named))
  const { version, data } = await requireVersion(tx, template, named.Version)
  const whole = overridden(data, given)
  await requireAllowed(
    tx,
    { ...{ service: 'ec2', action: 'RunInstances', input: whole }, caller, sourceIp },
    { region, now, messages: parts.messages ?? null },
  )
  const input = parseInput(launchSchema, whole)
  const order = parseLaunchRequest(input, maxInstancesPerLaunch)
  return { ...order, template: { id: template.id, version } }
}

/** The most that the setting `api.maxInstancesPerLaunch` allows. */
const LAUNCH_MAX = 1000

/** The launch that was made with the same token. */
async function earlierLaunch(
  tx: ReadTx,
  account: AccountId,
  reservation: string,
): Promise<readonly InstanceDetails[]> {
  const restrictions = [{ by: 'reservation', values: [reservation] }] as const
  const { ids } = await tx.launchPart({ account, restrictions, limit: LAUNCH_MAX })
  if (ids.length === 0) {
    throw refused(
      'IdempotentInstanceTerminated',
      'The instances of the earlier request with this ClientToken are terminated; use another token',
    )
  }
  return await instanceDetails(tx, account, ids)
}
