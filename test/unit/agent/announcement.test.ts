/** Who may run under a host's name, at the moments at which that changes. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createAnnouncer } from '../../../src/agent/announcement.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { openSqliteStore } from '../../../src/store/engines/sqlite/dialect.ts'
import type { Store } from '../../../src/store/store.ts'
import { silentLog } from '../../../tools/kit/log.ts'
import * as given from '../../contract/store/records.ts'

const LEASE_MS = 60_000

let store: Store
beforeEach(async () => {
  store = await openSqliteStore({ file: ':memory:', log: silentLog })
  await store.migrate()
})
afterEach(() => store.close())

const runs = (own: string, known: readonly string[]) => ({
  ...given.hostRow,
  run: { own, proven: null, known },
})

/** The same records, where the host's lease runs out right after an announcement. */
function endingAfterRefusal(of: Store): Store {
  return {
    ...of,
    claim: (work) =>
      of.claim((tx) =>
        work({
          ...tx,
          async upsertHost(...asked) {
            const said = await tx.upsertHost(...asked)
            if (said === 'taken') await tx.upsertHost(runs('first', []), -1)
            return said
          },
        }),
      ),
  }
}

it('a lease that runs out while its own machine starts again is no other machine', async () => {
  await store.change((tx) => tx.upsertHost(runs('first', []), LEASE_MS))
  const announce = createAnnouncer(
    { store: endingAfterRefusal(store), clock: systemClock },
    LEASE_MS,
  )
  const next = runs('second', ['first'])
  expect(await announce(next)).toEqual({ outcome: 'unsure' })
  expect(await announce(next)).toEqual({ outcome: 'done' })
})

it('a run that this disk does not know is another machine of the same identity', async () => {
  await store.change((tx) => tx.upsertHost(runs('copied', []), -1))
  const announce = createAnnouncer({ store, clock: systemClock }, LEASE_MS)
  const duplicate = { outcome: 'duplicate', kind: 'older', by: given.HOST, live: false }
  expect(await announce(runs('second', ['first']))).toEqual(duplicate)
})
