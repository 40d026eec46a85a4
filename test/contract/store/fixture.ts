/** What a store test works on: records of its own, and stores over them that stand for hosts. */
import { afterEach, beforeEach } from 'vitest'
import type { Store } from '../../../src/store/store.ts'
import { settle } from './records.ts'

/** Records that nobody else uses, empty and without a schema. */
export interface StoreFixture {
  /** Opens one more store over these records. The fixture closes it. */
  open(): Promise<Store>
  /** Closes every store that was opened and removes the records. */
  end(): Promise<void>
}

/** A fixture with a settled store before each test, ended after it. */
export function storeFixture(begin: () => Promise<StoreFixture>): {
  readonly store: Store
  readonly peer: Store
} {
  const held: { fixture?: StoreFixture; store?: Store; peer?: Store } = {}
  beforeEach(async () => {
    held.fixture = await begin()
    held.store = await held.fixture.open()
    await held.store.migrate()
    held.peer = await held.fixture.open()
    await settle(held.store)
  })
  afterEach(async () => held.fixture?.end())
  const present = (store: Store | undefined) => {
    if (store === undefined) throw new Error('the fixture has not begun')
    return store
  }
  return {
    get store() {
      return present(held.store)
    },
    get peer() {
      return present(held.peer)
    },
  }
}
