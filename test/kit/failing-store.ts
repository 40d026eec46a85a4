/** Records that break at one chosen call of a transaction. */
import { unavailable } from '../../src/model/errors.ts'
import type { Store, Tx } from '../../src/store/store.ts'

export interface FailingStore {
  readonly store: Store
  /** How many calls transactions have made so far. */
  readonly calls: () => number
}

/** The store, but the `k`-th call (from 1) on any transaction throws before it does anything. */
export function failAt(store: Store, k: number): FailingStore {
  let calls = 0
  const wrap = (tx: Tx): Tx =>
    new Proxy(tx, {
      get(target, name, receiver) {
        const value: unknown = Reflect.get(target, name, receiver)
        if (typeof value !== 'function') return value
        return (...given: unknown[]) => {
          calls += 1
          if (calls === k) throw unavailable(`call ${k}, ${String(name)}, fails`)
          return Reflect.apply(value, target, given)
        }
      },
    })
  return {
    store: { ...store, transaction: (work) => store.transaction((tx) => work(wrap(tx))) },
    calls: () => calls,
  }
}
