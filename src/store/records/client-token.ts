/**
 * Client tokens, which make a request idempotent. They concern no host, and a replica does not need
 * them, because nobody writes to it.
 */
import { z } from 'zod'
import type { ClientToken } from '../../model/client-token.ts'
import type { AccountId } from '../../model/ids.ts'
import { account, label, name, TEXT_MAX, time } from './columns.ts'
import { insertOr } from './insert.ts'
import { nobody, noun, type RowsOf, type Session, table } from './noun.ts'

const tables = {
  clientTokens: table<ClientToken>({
    name: 'clientTokens',
    key: ['account', 'action', 'token'],
    cached: false,
    copied: 'never',
    schema: z.object({
      account,
      action: label,
      token: name,
      parametersHash: name,
      result: z.string().max(TEXT_MAX),
      createdAt: time,
    }),
  }),
}

/** The noun. */
export const clientTokens = noun({
  tables,
  reads: ({ db, rows }: Session<RowsOf<typeof tables>>) => ({
    async clientToken(
      account: AccountId,
      action: string,
      token: string,
    ): Promise<ClientToken | undefined> {
      const found = await rowsOf(db, { account, action, token })
      return rows.parse(tables.clientTokens, found)[0]
    },
  }),
  writes: ({ db, rows }: Session<RowsOf<typeof tables>>) => ({
    /** `exists` when the token was used before. Read it to see its result. */
    insertClientToken: (token: ClientToken) => insertOr('exists', db, 'clientTokens', token),
    /**
     * Puts this token in the place of one that cannot be read: its result is lost, so the request
     * is a new one. `exists` when there is one that can be read by now.
     */
    async replaceUnreadableClientToken(token: ClientToken): Promise<'done' | 'exists'> {
      const { account: owner, action, token: text } = token
      const [row] = await rowsOf(db, token)
      if (row !== undefined) {
        if (rows.parse(tables.clientTokens, [row]).length > 0) return 'exists'
        // Of two that see it, one deletes it.
        const { numDeletedRows } = await db
          .deleteFrom('clientTokens')
          .where('account', '=', owner)
          .where('action', '=', action)
          .where('token', '=', text)
          .where('parametersHash', '=', row.parametersHash)
          .where('result', '=', row.result)
          .where('createdAt', '=', row.createdAt)
          .executeTakeFirstOrThrow()
        if (numDeletedRows !== 1n) return 'exists'
      }
      return await insertOr('exists', db, 'clientTokens', token)
    },
    /** Deletes tokens from before this time (ISO 8601). */
    async deleteClientTokensBefore(createdAt: string): Promise<void> {
      await db.deleteFrom('clientTokens').where('createdAt', '<', createdAt).execute()
    },
  }),
  touches: {
    insertClientToken: nobody,
    replaceUnreadableClientToken: nobody,
    deleteClientTokensBefore: nobody,
  },
  inCopy: {
    insertClientToken: null,
    replaceUnreadableClientToken: null,
    deleteClientTokensBefore: null,
  },
})

/** The row of this token, if there is one. */
function rowsOf(
  db: Session<RowsOf<typeof tables>>['db'],
  { account: owner, action, token }: Pick<ClientToken, 'account' | 'action' | 'token'>,
) {
  return db
    .selectFrom('clientTokens')
    .selectAll()
    .where('account', '=', owner)
    .where('action', '=', action)
    .where('token', '=', token)
    .execute()
}
