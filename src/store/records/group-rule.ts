/** Rules of security groups. A rule concerns every host with members of its VPC. */
import { z } from 'zod'
import {
  ANY_PROTOCOL,
  formatPeer,
  ICMP_MAX,
  isPortRange,
  PORT_MAX,
  parsePeer,
} from '../../model/group-rule.ts'
import {
  type AccountId,
  byId,
  type GroupId,
  type PrefixListId,
  type VpcId,
} from '../../model/ids.ts'
import type { GroupRule } from '../../model/records.ts'
import { ofVpc } from '../scope.ts'
import { account, flag, id, prose, type Row } from './columns.ts'
import { inParts } from './in-parts.ts'
import { type GroupIds, insertReferring, unless } from './insert.ts'
import { always, noun, type RowsOf, type Session, table } from './noun.ts'

/**
 * The peer is text: a network, or the id of a group or a prefix list. A group is stored twice, so
 * that a rule is unique, and so that the database refuses to delete a group that a rule of its VPC
 * names. One of another VPC is text only: its owner may delete it. So is a list (`prefix-list.ts`).
 */
type GroupRuleRow = Omit<Row<GroupRule>, 'peer'> & {
  readonly peer: string
  readonly peerGroup: GroupId | null
}

const PEER_MAX = 64
const ports = z.int().min(-1).max(PORT_MAX)

const tables = {
  securityGroupRules: table<GroupRuleRow>({
    name: 'securityGroupRules',
    schema: z
      .object({
        id: id('sgr'),
        group: id('sg'),
        vpc: id('vpc'),
        account,
        egress: flag,
        protocol: z.int().min(ANY_PROTOCOL).max(ICMP_MAX),
        fromPort: ports,
        toPort: ports,
        peer: z
          .string()
          .max(PEER_MAX)
          .refine(
            (text) => parsePeer(text) !== undefined,
            'is neither a network, a group nor a prefix list',
          ),
        peerGroup: id('sg').nullable(),
        description: prose,
      })
      .refine(isPortRange, 'has ports that its protocol does not have'),
  }),
}

/** All fields restrict the result. */
interface GroupRuleQuery {
  readonly account?: AccountId
  readonly vpcs?: readonly VpcId[]
  readonly groups?: readonly GroupId[]
}

/** The noun. */
export const groupRules = noun({
  tables,
  reads: ({ db, rows }: Session<RowsOf<typeof tables> & GroupIds>) => ({
    /** By id in ascending order. */
    async groupRules({ account, vpcs, groups }: GroupRuleQuery): Promise<readonly GroupRule[]> {
      let query = db.selectFrom('securityGroupRules').selectAll()
      if (account !== undefined) query = query.where('account', '=', account)
      const found = await inParts(vpcs, (some) =>
        inParts(groups, (part) => {
          let each = query
          if (some !== undefined) each = each.where('vpc', 'in', some)
          if (part !== undefined) each = each.where('group', 'in', part)
          return each.execute()
        }),
      )
      const parsed = await rows.parseLong(tables.securityGroupRules, found)
      return byId(parsed.map(groupRuleFromRow))
    },
    /** The rules of any group whose peer is this group. */
    async groupRulesNaming(group: GroupId): Promise<readonly GroupRule[]> {
      const query = db.selectFrom('securityGroupRules').selectAll().where('peerGroup', '=', group)
      const found = await query.orderBy('id').execute()
      return rows.parse(tables.securityGroupRules, found).map(groupRuleFromRow)
    },
    /** The rules whose peer is this prefix list. */
    async groupRulesNamingList(list: PrefixListId): Promise<readonly GroupRule[]> {
      const query = db.selectFrom('securityGroupRules').selectAll().where('peer', '=', list)
      const found = await query.orderBy('id').execute()
      return rows.parse(tables.securityGroupRules, found).map(groupRuleFromRow)
    },
    /** The rules of groups of other VPCs that name any of these groups. */
    async groupRulesNamingFromAfar(groups: readonly GroupId[]): Promise<readonly GroupRule[]> {
      const query = db.selectFrom('securityGroupRules').selectAll().where('peerGroup', 'is', null)
      const found = await inParts(groups, (part) => query.where('peer', 'in', part ?? []).execute())
      return byId(rows.parse(tables.securityGroupRules, found).map(groupRuleFromRow))
    },
  }),
  writes: ({ db }: Session<RowsOf<typeof tables> & GroupIds>) => ({
    /** `exists` when the group has a rule that allows the same. */
    insertGroupRule(rule: GroupRule): Promise<'done' | 'exists'> {
      const row = groupRuleToRow(rule)
      const groups = row.peerGroup === null ? [row.group] : [row.group, row.peerGroup]
      return unless('duplicate', 'exists', () =>
        insertReferring(db, 'securityGroupRules', [row], groups),
      )
    },
    /**
     * Replaces the contents of a rule. `exists` when another rule of the group has the same
     * contents.
     */
    updateGroupRule(rule: GroupRule): Promise<'done' | 'exists'> {
      const { id, ...row } = groupRuleToRow(rule)
      return unless('duplicate', 'exists', () =>
        db.updateTable('securityGroupRules').set(row).where('id', '=', id).execute(),
      )
    },
    async deleteGroupRule({ id }: Pick<GroupRule, 'id' | 'vpc'>): Promise<void> {
      await db.deleteFrom('securityGroupRules').where('id', '=', id).execute()
    },
  }),
  touches: {
    insertGroupRule: (_session, { vpc }) => [ofVpc(vpc)],
    updateGroupRule: (_session, { vpc }) => [ofVpc(vpc)],
    deleteGroupRule: (_session, { vpc }) => [ofVpc(vpc)],
  },
  inCopy: {
    insertGroupRule: hasRule,
    updateGroupRule: hasRule,
    deleteGroupRule: always,
  },
})

async function hasRule(
  tx: { groupRules(query: GroupRuleQuery): Promise<readonly GroupRule[]> },
  { id, group }: GroupRule,
): Promise<boolean> {
  return (await tx.groupRules({ groups: [group] })).some((rule) => rule.id === id)
}

/** A rule as its row. */
function groupRuleToRow(rule: GroupRule): GroupRuleRow {
  const { peer } = rule
  const peerGroup = peer.kind === 'group' && peer.isForeign !== true ? peer.group : null
  return { ...rule, egress: Number(rule.egress), peer: formatPeer(peer), peerGroup }
}

/** A rule from its row. Throws RangeError when its peer is malformed. */
function groupRuleFromRow({ peerGroup, ...row }: GroupRuleRow): GroupRule {
  const peer = parsePeer(row.peer)
  if (peer === undefined) throw new RangeError(`no peer: ${row.peer}`)
  const foreign = peer.kind === 'group' && peerGroup === null ? { isForeign: true as const } : {}
  return { ...row, egress: row.egress !== 0, peer: { ...peer, ...foreign } }
}
