/** Security groups. One concerns whoever has members of its VPC. */
import { z } from 'zod'
import type { AccountId } from '../../model/ids.ts'
import type { Group } from '../../model/records.ts'
import { ofVpc } from '../scope.ts'
import { account, id, name, prose } from './columns.ts'
import { insertOr } from './insert.ts'
import { always, noun, type RowsOf, type Session, table } from './noun.ts'

const tables = {
  securityGroups: table<Group>({
    name: 'securityGroups',
    schema: z.object({ id: id('sg'), vpc: id('vpc'), account, name, description: prose }),
  }),
}

/** The noun. */
export const groups = noun({
  tables,
  reads: ({ db, rows }: Session<RowsOf<typeof tables>>) => ({
    async groups({ account }: { readonly account?: AccountId }): Promise<readonly Group[]> {
      let query = db.selectFrom('securityGroups').selectAll().orderBy('id')
      if (account !== undefined) query = query.where('account', '=', account)
      return rows.parse(tables.securityGroups, await query.execute())
    },
  }),
  writes: ({ db }: Session<RowsOf<typeof tables>>) => ({
    /** `exists` when the VPC has a group of this name. */
    insertGroup: (group: Group) => insertOr('exists', db, 'securityGroups', group),
  }),
  touches: { insertGroup: (_session, { vpc }) => [ofVpc(vpc)] },
  inCopy: { insertGroup: always },
})
