/**
 * The refusal of an action that Atoll does not have.
 *
 * A tool that fails here may have launched instances just before and not remember them, so the
 * message lists what was launched lately. Tools match the first sentence word by word.
 */
import { refused } from '../model/errors.ts'
import type { AccountId } from '../model/ids.ts'
import type { Instance } from '../model/records.ts'
import type { ApiParts } from './action.ts'

/** How long ago something may have been launched by the run of a tool that fails now. */
const LAUNCHED_MS = 15 * 60_000
/** Instances that are named. */
const SHOWN_INSTANCES = 5
/** How much of an unknown action's name is said back. */
const SHOWN_ACTION_LENGTH = 64

/**
 * The refusal (`InvalidAction`) of an action that there is none of; it names what the account has
 * launched lately.
 */
export async function unknownAction(
  name: string,
  account: AccountId,
  { store, clock }: Pick<ApiParts, 'store' | 'clock'>,
): Promise<Error> {
  const shown = name.slice(0, SHOWN_ACTION_LENGTH)
  const sinceMs = clock.now() - LAUNCHED_MS
  // Whatever keeps the records from being read, the action stays unknown.
  const instances = await store
    .read((tx) => tx.instances({ account }))
    .then(({ value }) => value)
    .catch(() => [])
  const launched = instances
    .filter(({ wanted, launchedAt }) => wanted !== 'terminate' && Date.parse(launchedAt) >= sinceMs)
    .toSorted((a, b) => (a.launchedAt > b.launchedAt ? -1 : 1))
  return refused(
    'InvalidAction',
    `The action ${shown} is not valid for this web service.${remark(launched)}`,
  )
}

function remark(launched: readonly Instance[]): string {
  if (launched.length === 0) return ''
  const named = launched.slice(0, SHOWN_INSTANCES).map(({ id }) => id)
  const more = launched.length - named.length
  const list = `${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}`
  return (
    ` Nothing was changed, and what this account launched in the last ${LAUNCHED_MS / 60_000} minutes is still there: ${list}.` +
    ' TerminateInstances ends what is not wanted.'
  )
}
