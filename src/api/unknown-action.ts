/**
 * The refusal of an unknown action.
 *
 * A tool that fails here may just have launched instances without recording them, so the message
 * lists recent launches. Tools compare the first sentence exactly.
 */
import { refused } from '../model/errors.ts'
import type { Instance } from '../model/records.ts'
import type { ApiParts, Caller } from './action.ts'

/** How recent a launch must be to belong to the failing tool. */
const LAUNCHED_MS = 15 * 60_000
/** Maximum number of listed instances. */
const SHOWN_INSTANCES = 5
/** Maximum length of an unknown action's name in the message. */
const SHOWN_ACTION_LENGTH = 64

/** The refusal (`InvalidAction`) of an unknown action. It names recent launches of the account. */
export async function unknownAction(
  name: string,
  { account, rights }: Pick<Caller, 'account' | 'rights'>,
  { store, clock }: Pick<ApiParts, 'store' | 'clock'>,
): Promise<Error> {
  const shown = name.slice(0, SHOWN_ACTION_LENGTH)
  const sinceMs = clock.now() - LAUNCHED_MS
  // If the records are unavailable, the action is still unknown. A user with policies may not be
  // allowed to see instances.
  const instances =
    rights === 'policies'
      ? []
      : await store
          .read((tx) => tx.instances({ account, live: true }))
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
