/** Key pairs. They concern no host: an instance keeps the key that it was launched with. */
import { z } from 'zod'
import type { AccountId, KeyPairId } from '../../model/ids.ts'
import type { KeyPair } from '../../model/records.ts'
import { account, id, isPrintable, name, time } from './columns.ts'
import { insertOr } from './insert.ts'
import { always, nobody, noun, type RowsOf, type Session, table } from './noun.ts'

const PUBLIC_KEY_MAX = 16_384

const tables = {
  keyPairs: table<KeyPair>({
    name: 'keyPairs',
    schema: z.object({
      id: id('key'),
      account,
      name,
      type: z.enum(['rsa', 'ed25519']),
      fingerprint: z.string().regex(/^[\w+/=:]{1,128}$/),
      // One line, because it is appended to a guest's authorized_keys.
      publicKey: z.string().max(PUBLIC_KEY_MAX).refine(isPrintable, 'is not one printable line'),
      createdAt: time,
    }),
  }),
}

/** The noun. */
export const keyPairs = noun({
  tables,
  reads: ({ db, rows }: Session<RowsOf<typeof tables>>) => ({
    async keyPairs({ account }: { readonly account: AccountId }): Promise<readonly KeyPair[]> {
      const query = db.selectFrom('keyPairs').selectAll().where('account', '=', account)
      return await rows.parseLong(tables.keyPairs, await query.orderBy('id').execute())
    },
    /** The number of key pairs of the account, also of those that cannot be read. */
    async countKeyPairs(account: AccountId): Promise<number> {
      const { count } = await db
        .selectFrom('keyPairs')
        .select(({ fn }) => fn.countAll<number | bigint | string>().as('count'))
        .where('account', '=', account)
        .executeTakeFirstOrThrow()
      return Number(count)
    },
  }),
  writes: ({ db }: Session<RowsOf<typeof tables>>) => ({
    /** `exists` when the account has a key pair with this name. */
    insertKeyPair: (key: KeyPair) => insertOr('exists', db, 'keyPairs', key),
    async deleteKeyPair(id: KeyPairId): Promise<void> {
      await db.deleteFrom('keyPairs').where('id', '=', id).execute()
    },
  }),
  touches: { insertKeyPair: nobody, deleteKeyPair: nobody },
  inCopy: {
    insertKeyPair: async (tx, { account, id }) =>
      (await tx.keyPairs({ account })).some((pair) => pair.id === id),
    deleteKeyPair: always,
  },
})
