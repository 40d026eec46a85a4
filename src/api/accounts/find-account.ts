/** Accounts as the operator names them. */
import type { Account } from '../../model/account-records.ts'
import { refused } from '../../model/errors.ts'
import type { ReadTx } from '../../store/store.ts'

/** The account with this id or name. */
export async function findAccount(tx: ReadTx, text: string): Promise<Account> {
  const accounts = await tx.accounts()
  const named = accounts.filter(({ id, name }) => id === text || name === text)
  const [account, another] = named
  if (account === undefined)
    throw refused(
      'InvalidParameterValue',
      `There is no account "${text}"; see: atoll accounts list`,
    )
  if (another !== undefined)
    throw refused('InvalidParameterValue', `Several accounts are called "${text}"; give the id`)
  return account
}
