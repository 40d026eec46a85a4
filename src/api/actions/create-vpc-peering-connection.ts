/** CreateVpcPeeringConnection: a request, which the owner of the other VPC accepts or rejects. */
import { z } from 'zod'
import { isoTime } from '../../lib/clock.ts'
import { type Cidr, formatCidr } from '../../model/addr.ts'
import { refused } from '../../model/errors.ts'
import { type AccountId, parseAccountId } from '../../model/ids.ts'
import { PEERING_REQUEST_MS, type PeeringSide, type VpcPeering } from '../../model/peering.ts'
import type { Vpc } from '../../model/records.ts'
import { overlapping, rangesOf } from '../../model/vpc-range.ts'
import type { ReadTx, Tx } from '../../store/store.ts'
import { changeAction } from '../change.ts'
import { isListed, stateAt } from '../networks/peerings.ts'
import { requireVpc, vpcIdSchema } from '../networks/vpcs.ts'
import { specifiedTags, tagSpecificationsSchema, textSchema } from '../schemas.ts'
import { tagsView } from '../views/tags.ts'
import { peeringView } from '../views/vpc-peering.ts'

const NOWHERE: Cidr = { network: '0.0.0.0' as Cidr['network'], prefix: 32 }

const accountSchema = z.string().transform((text, context): AccountId => {
  const account = parseAccountId(text)
  if (account !== undefined) return account
  context.addIssue('must be an account of twelve digits')
  return z.NEVER
})

/**
 * As on EC2, what cannot be peered gives a connection with the state `failed`, which says why.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpcPeeringConnection.html
 */
export const createVpcPeeringConnection = changeAction({
  name: 'CreateVpcPeeringConnection',
  input: z.strictObject({
    VpcId: vpcIdSchema,
    PeerVpcId: vpcIdSchema,
    PeerOwnerId: accountSchema.optional(),
    PeerRegion: textSchema.optional(),
    TagSpecifications: tagSpecificationsSchema(['vpc-peering-connection']),
  }),
  async change(tx, asked, { account, newId, now, settings }) {
    const { VpcId, PeerVpcId, PeerOwnerId = account, PeerRegion: region } = asked
    if (region !== undefined && region !== settings.region)
      throw refused(
        'InvalidParameterValue',
        `PeerRegion '${region}' does not exist; the only one is '${settings.region}'`,
      )
    const own = await requireVpc(tx, account, VpcId)
    const peer = (await tx.vpcs({ account: PeerOwnerId })).find(({ id }) => id === PeerVpcId)
    const accepter = {
      ...{ account: PeerOwnerId, vpc: PeerVpcId },
      cidr: peer?.cidr ?? NOWHERE,
      showsPrivate: false,
    }
    await tidyUp(tx, account, { now, pair: [own.id, PeerVpcId] })
    const why = await whyNot(tx, own, peer)
    const reason = PeerOwnerId === account ? why : toStranger(why)
    const peering: VpcPeering = {
      ...{ id: newId('pcx'), requester: sideOf(own), accepter },
      state: reason === null ? 'pending-acceptance' : 'failed',
      reason: reason ?? '',
      createdAt: now,
      expiresAt: isoTime(Date.parse(now) + PEERING_REQUEST_MS),
      endedAt: reason === null ? null : now,
    }
    if ((await tx.insertVpcPeering(peering)) === 'exists')
      throw refused(
        'VpcPeeringConnectionAlreadyExists',
        `A VPC peering connection between '${own.id}' and '${PeerVpcId}' already exists`,
      )
    const of = { account, resource: peering.id, resourceType: 'vpc-peering-connection' }
    const tags = specifiedTags(asked.TagSpecifications, of)
    await tx.putTags(tags)
    return { peering, tags }
  },
  view: ({ peering, tags }, { now, settings: { region } }) => ({
    VpcPeeringConnection: peeringView(peering, {
      ...{ now, region },
      tags: tagsView(tags, peering.id),
    }),
  }),
})

function sideOf({ account, id, cidr }: Vpc): PeeringSide {
  return { account, vpc: id, cidr, showsPrivate: false }
}

/** Forgets what is not listed any more, and ends a request of these two that has expired. */
async function tidyUp(
  tx: Tx,
  account: AccountId,
  { now, pair }: { readonly now: string; readonly pair: readonly string[] },
): Promise<void> {
  for (const peering of await tx.vpcPeerings({ account })) {
    const { requester, accepter, state } = peering
    const isSame = pair.includes(requester.vpc) && pair.includes(accepter.vpc)
    if (state === 'pending-acceptance' && isSame && stateAt(peering, now) === 'expired')
      await tx.changeVpcPeering(peering, { from: state, to: 'deleted', at: now })
    if (isListed(peering, now)) continue
    await tx.forgetVpcPeering(peering.id)
    await tx.deleteTagsOf(peering.id)
  }
}

/** What somebody is told who must not learn of another account's VPCs, as EC2 tells it. */
const FAILED = 'Failed due to incorrect VPC-ID, Account ID, or overlapping CIDR range'

/** The reason without what it says of VPCs of other accounts. */
export function toStranger(why: string | null): string | null {
  return why === null ? null : FAILED
}

/**
 * Why the two cannot be peered, as a sentence; null: they can. It may name VPCs of any account that
 * are peered with one of the two.
 */
export async function whyNot(tx: ReadTx, own: Vpc, peer: Vpc | undefined): Promise<string | null> {
  const failed = (why: string) => `${FAILED}: ${why}`
  if (peer === undefined) return failed('there is no such VPC of that account')
  const overlap = (a: Vpc, b: Vpc, more = '') => {
    const [ofA, ofB] = overlapping(rangesOf(a), rangesOf(b)) ?? []
    return ofA === undefined || ofB === undefined
      ? null
      : failed(`${formatCidr(ofA)} of ${a.id}${more} overlaps ${formatCidr(ofB)} of ${b.id}`)
  }
  const both = overlap(own, peer)
  if (both !== null) return both
  if (own.network === null && peer.network === null)
    return failed(
      `${own.id} and ${peer.id} are both in the network of the hosts themselves; one must have a network of its own, as each has that CreateVpc makes`,
    )
  const vpcs = new Map((await tx.vpcs({})).map((vpc) => [vpc.id, vpc]))
  const peerings = await tx.activePeerings()
  for (const [one, other] of [
    [own, peer],
    [peer, own],
  ] as const)
    for (const { vpcs: pair } of peerings) {
      const third = pair.includes(one.id) ? vpcs.get(pair[0] === one.id ? pair[1] : pair[0]) : null
      if (!third || third.id === other.id) continue
      const beside = overlap(third, other, `, a peer of ${one.id},`)
      if (beside !== null) return beside
      if (third.network === null && other.network === null)
        return failed(
          `${one.id} is peered with ${third.id}, which is in the network of the hosts themselves, as ${other.id} is; it can have one such peer`,
        )
    }
  return null
}
