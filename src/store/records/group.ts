/**
 * Security groups. A group concerns every host with members of its VPC. Rules are a noun of their
 * own (`group-rule.ts`).
 */
import { z } from 'zod'
import type { AccountId, GroupId, VpcId } from '../../model/ids.ts'
import type { Group } from '../../model/records.ts'
import { ofVpc } from '../scope.ts'
import { account, id, name, prose } from './columns.ts'
import { inParts, isOf } from './in-parts.ts'
import { insertOr, unless } from './insert.ts'
import { always, noun, type RowsOf, type Session, table } from './noun.ts'

const tables = {
  securityGroups: table<Group>({
    name: 'securityGroups',
    schema: z.object({ id: id('sg'), vpc: id('vpc'), account, name, description: prose }),
  }),
}

/** All fields restrict the result. */
interface GroupQuery {
  readonly account?: AccountId
  readonly ids?: readonly GroupId[]
  readonly vpcs?: readonly VpcId[]
}

/** The noun. */
export const groups = noun({
  tables,
  reads: ({ db, rows }: Session<RowsOf<typeof tables>>) => ({
    async groups({ account, ids, vpcs }: GroupQuery): Promise<readonly Group[]> {
      let query = db.selectFrom('securityGroups').selectAll().orderBy('id')
      const isFound = (ids ?? vpcs) !== undefined
      if (account !== undefined)
        query = query.where(isOf('securityGroups.account', account, isFound))
      const found = await inParts(ids, (some) => {
        const those = some === undefined ? query : query.where('id', 'in', some)
        return inParts(vpcs, (part) =>
          part === undefined ? those.execute() : those.where('vpc', 'in', part).execute(),
        )
      })
      return rows.parse(tables.securityGroups, found)
    },
  }),
  writes: ({ db }: Session<RowsOf<typeof tables>>) => ({
    /** `exists` when the VPC has a group with this name. */
    insertGroup: (group: Group) => insertOr('exists', db, 'securityGroups', group),
    /**
     * Its rules must be deleted before. `in-use` when a NIC is in the group or a rule names it. The
     * database also knows those that this transaction does not see.
     */
    deleteGroup: ({ id }: Pick<Group, 'id' | 'vpc'>) =>
      unless('referenced', 'in-use', () =>
        db.deleteFrom('securityGroups').where('id', '=', id).execute(),
      ),
  }),
  touches: {
    insertGroup: (_session, { vpc }) => [ofVpc(vpc)],
    deleteGroup: (_session, { vpc }) => [ofVpc(vpc)],
  },
  inCopy: {
    insertGroup: async (tx, { id, account }) =>
      (await tx.groups({ account })).some((group) => group.id === id),
    deleteGroup: always,
  },
})
