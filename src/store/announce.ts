/**
 * A store that tells whom each change concerns: whoever changes records through it cannot forget
 * to.
 */
import type { Scope } from './scope.ts'
import type { Store } from './store.ts'

/**
 * The store; `hear` gets the scopes that a transaction has touched, each once, after its commit;
 * nothing when there are none.
 */
export function announcing<S extends Pick<Store, 'change' | 'claim'>>(
  store: S,
  hear: (scopes: readonly Scope[]) => void,
): S {
  const heard =
    (run: Store['change']): Store['change'] =>
    async (work) => {
      // With the result, because the run that counts need not be the last one
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
