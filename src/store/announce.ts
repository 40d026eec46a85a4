/**
 * A store that tells whom each change concerns: whoever changes records through it cannot forget
 * to.
 */
import type { Scope } from './scope.ts'
import type { Store } from './store.ts'

/** The store; `hear` gets the scopes that a transaction has touched, after its commit. */
export function announcing(store: Store, hear: (scopes: readonly Scope[]) => void): Store {
  return {
    ...store,
    transaction: (work, options) =>
      store.transaction(work, {
        ...options,
        touched(scopes) {
          hear(scopes)
          options?.touched?.(scopes)
        },
      }),
  }
}
