/**
 * Client tokens: they guard writes, so they concern no host, and a copy, to which nobody writes,
 * has none.
 */
import { z } from 'zod'
import type { AccountId } from '../../model/ids.ts'
import type { ClientToken } from '../../model/records.ts'
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
      const found = await db
        .selectFrom('clientTokens')
        .selectAll()
        .where('account', '=', account)
        .where('action', '=', action)
        .where('token', '=', token)
        .execute()
      return rows.parse(tables.clientTokens, found)[0]
    },
  }),
  writes: ({ db }: Session<RowsOf<typeof tables>>) => ({
    /** `exists` when the token was used before; read it to see for what. */
    insertClientToken: (token: ClientToken) => insertOr('exists', db, 'clientTokens', token),
    /** Forgets tokens made before the time (ISO 8601). */
    async deleteClientTokensBefore(createdAt: string): Promise<void> {
      await db.deleteFrom('clientTokens').where('createdAt', '<', createdAt).execute()
    },
  }),
  touches: { insertClientToken: nobody, deleteClientTokensBefore: nobody },
  inCopy: { insertClientToken: null, deleteClientTokensBefore: null },
})
