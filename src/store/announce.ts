/** A store that reports whom each change concerns, so that no caller can forget to. */
import type { Scope } from './scope.ts'
import type { Store } from './store.ts'

/**
 * The store. After each commit `hear` gets the scopes that the transaction touched, each once. It
 * is not called when there are none.
 */
export function announcing<S extends Pick<Store, 'change' | 'claim'>>(
  store: S,
  hear: (scopes: readonly Scope[]) => void,
): S {
  const heard =
    (run: Store['change']): Store['change'] =>
    async (work) => {
      // Returned with the result, because the run that was committed need not be the last one
      // (`records/commit.ts`).
      const { result, touched } = await run(async (tx) => {
        const result = await work(tx)
        return { result, touched: tx.touched() }
      })
      if (touched.length > 0) hear(touched)
      return result
    }
  return { ...store, change: heard(store.change), claim: heard(store.claim) }
}
