import { describe, expect, it } from 'vitest'
import { explain, unavailable } from '../../../src/model/errors.ts'
import { openInBackground } from '../../../src/store/background.ts'
import type { ReadTx } from '../../../src/store/store.ts'
import { silentLog } from '../../../tools/kit/log.ts'
import { openRecords } from '../../kit/cluster-records.ts'
import { fastClock } from '../../kit/fast-clock.ts'
import { hostName } from '../../kit/records.ts'

const fast = fastClock(50)
const hosts = [hostName('a'), hostName('b')]
const hostNames = async (tx: ReadTx) => (await tx.hosts()).map(({ name }) => name)
const noWork = async () => undefined

describe('openInBackground', () => {
  it('is there at once, refuses until the engine is ready, and tries until it is', async () => {
    const engine = await openRecords(hosts)
    let attempts = 0
    const store = openInBackground({
      open: async () => {
        attempts += 1
        if (attempts < 4) throw unavailable('nobody there')
        return engine
      },
      clock: fast,
      log: silentLog,
    })
    await expect(store.change(noWork)).rejects.toMatchObject({ kind: 'unavailable' })
    const refusal = await store.read(hostNames).catch((error: unknown) => error)
    expect(refusal).toMatchObject({ kind: 'unavailable' })
    // For the operator, and not for clients.
    expect(explain(refusal)).toContain('nobody there')
    expect(String(refusal)).not.toContain('nobody there')
    await store.ready
    expect(await store.read(hostNames)).toEqual(hosts)
    expect(attempts).toBe(4)
    await store.close()
  })

  it('can be closed while the engine is away', async () => {
    const store = openInBackground({
      open: () => Promise.reject(unavailable('nobody there')),
      clock: fast,
      log: silentLog,
    })
    await store.close()
    await expect(store.ready).rejects.toThrow()
  })
})
