/**
 * A store that fails, or loses a race, at a chosen call of a transaction, or whose answers are
 * lost.
 */
import { unavailable } from '../../src/model/errors.ts'
import type { Store, Tx } from '../../src/store/store.ts'

/**
 * The store, but `instead` is asked first on every call of a transaction; what it returns takes the
 * call's place.
 */
export function intercept(
  store: Store,
  instead: (method: string, given: readonly unknown[]) => unknown,
): Store {
  const wrap = (tx: Tx): Tx =>
    new Proxy(tx, {
      get(target, name, receiver) {
        const value: unknown = Reflect.get(target, name, receiver)
        if (typeof value !== 'function') return value
        return (...given: unknown[]) =>
          instead(String(name), given) ?? Reflect.apply(value, target, given)
      },
    })
  return {
    ...store,
    change: (work) => store.change((tx) => work(wrap(tx))),
    claim: (work) => store.claim((tx) => work(wrap(tx))),
  }
}

export interface FailingStore {
  readonly store: Store
  /** How many calls transactions have made so far. */
  readonly calls: () => number
}

/** The store, but the `k`-th call (from 1) on any transaction throws before it does anything. */
export function failAt(store: Store, k: number): FailingStore {
  let calls = 0
  const failing = intercept(store, (method) => {
    calls += 1
    if (calls === k) throw unavailable(`call ${k}, ${method}, fails`)
    return undefined
  })
  return { store: failing, calls: () => calls }
}

/**
 * The store, but the answer to the first commit of a claim is lost: the claim is run again, as the
 * store promises.
 */
export function losingAnswers(store: Store): Store {
  return {
    ...store,
    async claim(work) {
      await store.claim(work)
      return await store.claim(work)
    },
  }
}
