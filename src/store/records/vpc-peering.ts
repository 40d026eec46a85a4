/**
 * Peering connections. Only active ones concern hosts, and then all: a host that has instances of
 * one VPC reads the other, too.
 */
import { z } from 'zod'
import { formatCidr, cidr as network, parseCidr } from '../../model/addr.ts'
import type { AccountId, PeeringId, VpcId } from '../../model/ids.ts'
import type { ActivePeering, PeeringState, VpcPeering } from '../../model/peering.ts'
import { EVERYBODY, type Scope } from '../scope.ts'
import { account, flag, id, prose, time } from './columns.ts'
import { insertOr } from './insert.ts'
import { always, isThere, nobody, noun, type RowsOf, type Session, table } from './noun.ts'

/** `pair` names both VPCs while it is pending or active, so that two VPCs have at most one. */
interface PeeringRow {
  readonly id: PeeringId
  readonly requesterAccount: AccountId
  readonly requesterVpc: VpcId
  readonly requesterCidr: string
  readonly accepterAccount: AccountId
  readonly accepterVpc: VpcId
  readonly accepterCidr: string
  readonly state: PeeringState
  readonly reason: string
  readonly createdAt: string
  readonly expiresAt: string
  readonly endedAt: string | null
  readonly pair: string | null
  readonly requesterShowsPrivate: number
  readonly accepterShowsPrivate: number
}

const cidr = z
  .string()
  .max(18)
  .refine((text) => parseCidr(text) !== undefined, 'is not a network')

const tables = {
  vpcPeerings: table<PeeringRow>({
    name: 'vpcPeerings',
    schema: z.object({
      id: id('pcx'),
      requesterAccount: account,
      requesterVpc: id('vpc'),
      requesterCidr: cidr,
      accepterAccount: account,
      accepterVpc: id('vpc'),
      accepterCidr: cidr,
      state: z.enum(['pending-acceptance', 'active', 'rejected', 'deleted', 'failed']),
      reason: prose,
      createdAt: time,
      expiresAt: time,
      endedAt: time.nullable(),
      pair: z.string().max(128).nullable(),
      requesterShowsPrivate: flag,
      accepterShowsPrivate: flag,
    }),
  }),
}
type Tables = RowsOf<typeof tables>

/** What becomes of one. */
interface PeeringChange {
  readonly from: Extract<PeeringState, 'pending-acceptance' | 'active'>
  readonly to: PeeringState
  readonly at: string
}

/** The noun. */
export const vpcPeerings = noun({
  tables,
  reads: ({ db, rows }: Session<Tables>) => ({
    /** By id in ascending order; of an account, those in which it has either side. */
    async vpcPeerings({
      account,
    }: {
      readonly account?: AccountId
    }): Promise<readonly VpcPeering[]> {
      let query = db.selectFrom('vpcPeerings').selectAll().orderBy('id')
      if (account !== undefined)
        query = query.where((where) =>
          where.or([
            where('requesterAccount', '=', account),
            where('accepterAccount', '=', account),
          ]),
        )
      return rows.parse(tables.vpcPeerings, await query.execute()).map(peeringFromRow)
    },
    /** By id in ascending order. */
    async activePeerings(): Promise<readonly ActivePeering[]> {
      const query = db.selectFrom('vpcPeerings').selectAll().where('state', '=', 'active')
      const found = await query.orderBy('id').execute()
      return rows.parse(tables.vpcPeerings, found).map(activeFromRow)
    },
  }),
  writes: ({ db }: Session<Tables>) => ({
    /** `exists` when both VPCs have one that is pending or active. */
    insertVpcPeering: (peering: VpcPeering) =>
      insertOr('exists', db, 'vpcPeerings', peeringToRow(peering)),
    /** `changed` when it is in another state by now. */
    async changeVpcPeering(
      { id }: Pick<VpcPeering, 'id'>,
      { from, to, at }: PeeringChange,
    ): Promise<'done' | 'changed'> {
      const ended = to === 'active' ? {} : { endedAt: at, pair: null }
      const { numUpdatedRows } = await db
        .updateTable('vpcPeerings')
        .set({ state: to, ...ended })
        .where('id', '=', id)
        .where('state', '=', from)
        .executeTakeFirst()
      return numUpdatedRows > 0n ? 'done' : 'changed'
    },
    /** Sets the options of one or both sides. */
    async setPeeringOptions({
      id,
      requester,
      accepter,
    }: Pick<VpcPeering, 'id' | 'requester' | 'accepter'>): Promise<void> {
      await db
        .updateTable('vpcPeerings')
        .set({
          requesterShowsPrivate: Number(requester.showsPrivate),
          accepterShowsPrivate: Number(accepter.showsPrivate),
        })
        .where('id', '=', id)
        .execute()
    },
    /** Removes one that has ended. */
    async forgetVpcPeering(id: PeeringId): Promise<void> {
      await db
        .deleteFrom('vpcPeerings')
        .where('id', '=', id)
        .where('endedAt', 'is not', null)
        .execute()
    },
  }),
  touches: {
    // It is not active yet.
    insertVpcPeering: nobody,
    changeVpcPeering: (_session, _id, { from, to }): readonly Scope[] =>
      from === 'active' || to === 'active' ? [EVERYBODY] : [],
    setPeeringOptions: (): readonly Scope[] => [EVERYBODY],
    // It has ended.
    forgetVpcPeering: nobody,
  },
  inCopy: {
    insertVpcPeering: async (tx, { id, requester }) =>
      isThere(
        tx
          .vpcPeerings({ account: requester.account })
          .then((all) => all.filter((one) => one.id === id)),
      ),
    changeVpcPeering: always,
    setPeeringOptions: always,
    forgetVpcPeering: always,
  },
})

function peeringToRow({ requester, accepter, ...rest }: VpcPeering): PeeringRow {
  return {
    ...rest,
    requesterAccount: requester.account,
    requesterVpc: requester.vpc,
    requesterCidr: formatCidr(requester.cidr),
    accepterAccount: accepter.account,
    accepterVpc: accepter.vpc,
    accepterCidr: formatCidr(accepter.cidr),
    requesterShowsPrivate: Number(requester.showsPrivate),
    accepterShowsPrivate: Number(accepter.showsPrivate),
    pair: rest.endedAt === null ? [requester.vpc, accepter.vpc].toSorted().join(' ') : null,
  }
}

/** A connection from its row, whose networks the schema has seen. */
function peeringFromRow(row: PeeringRow): VpcPeering {
  const { id, state, reason, createdAt, expiresAt, endedAt } = row
  return {
    ...{ id, state, reason, createdAt, expiresAt, endedAt },
    requester: {
      account: row.requesterAccount,
      vpc: row.requesterVpc,
      cidr: network(row.requesterCidr),
      showsPrivate: row.requesterShowsPrivate !== 0,
    },
    accepter: {
      account: row.accepterAccount,
      vpc: row.accepterVpc,
      cidr: network(row.accepterCidr),
      showsPrivate: row.accepterShowsPrivate !== 0,
    },
  }
}

/** What hosts need of an active one. */
function activeFromRow(row: PeeringRow): ActivePeering {
  const { id, requesterVpc, accepterVpc } = row
  const showPrivate = [
    ...(row.requesterShowsPrivate === 0 ? [] : [requesterVpc]),
    ...(row.accepterShowsPrivate === 0 ? [] : [accepterVpc]),
  ]
  const vpcs = [requesterVpc, accepterVpc] as const
  return showPrivate.length === 0 ? { id, vpcs } : { id, vpcs, showPrivate }
}
