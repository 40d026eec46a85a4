/** The `Store` contract: instances that hosts have started before anybody asks for them. */
import { describe, expect, it } from 'vitest'
import type { OfferedInstance } from '../../../src/model/warm-instance.ts'
import { type StoreFixture, storeFixture } from './fixture.ts'
import * as given from './records.ts'

function offered(n: number): OfferedInstance {
  const digest = `sha256:${'a'.repeat(64)}`
  return {
    ...{ id: given.nth('i', n), host: given.HOST, image: given.nth('ami', 1) },
    ...{ digest, type: 'at1.nano' },
  }
}

/** Warm instances. */
export function describeWarmInstances(begin: () => Promise<StoreFixture>): void {
  describe('warm instances', () => {
    const fixture = storeFixture(begin)
    const known = () => fixture.peer.read((tx) => tx.warmInstances(), { sees: 'latest' })
    const offer = (...ids: readonly number[]) =>
      fixture.store.change(async (tx) => {
        for (const id of ids) await tx.offerWarmInstance(offered(id))
      })

    it('are offered by their host, and withdrawn by it, and ring nobody', async () => {
      await offer(11, 12, 13)
      expect(await known()).toEqual([offered(11), offered(12), offered(13)])
      const touched = await fixture.store.change(async (tx) => {
        expect(await tx.offerWarmInstance(offered(11))).toBe('exists')
        await tx.withdrawWarmInstances(given.HOST, [offered(12).id])
        await tx.withdrawWarmInstances(given.HOST, [])
        await tx.withdrawWarmInstances(given.OTHER_HOST)
        return tx.touched()
      })
      expect(touched).toEqual([])
      expect(await known()).toEqual([offered(11), offered(13)])
      expect(await fixture.peer.read((tx) => tx.warmInstances(given.OTHER_HOST))).toEqual([])
      await fixture.store.change((tx) => tx.withdrawWarmInstances(given.HOST))
      expect(await known()).toEqual([])
    })

    it('are taken by one of many launches', async () => {
      await offer(11)
      const launches = [fixture.store, fixture.peer, fixture.store].map((store) =>
        store.claim((tx) => tx.takeWarmInstance(offered(11))),
      )
      const outcomes = await Promise.all(launches)
      expect(outcomes.toSorted()).toEqual(['done', 'gone', 'gone'])
    })

    it('are offered again when the launch that took one was refused', async () => {
      await offer(11)
      const refusal = new Error('refused')
      const launch = fixture.store.claim(async (tx) => {
        await tx.takeWarmInstance(offered(11))
        throw refusal
      })
      await expect(launch).rejects.toThrow(refusal)
      expect(await known()).toEqual([offered(11)])
    })

    it('are not taken of another host, or where there is such an instance', async () => {
      await offer(1)
      const taken = (one: OfferedInstance) => fixture.store.claim((tx) => tx.takeWarmInstance(one))
      expect(await taken({ ...offered(1), host: given.OTHER_HOST })).toBe('gone')
      await fixture.store.change((tx) =>
        tx.insertInstance({ ...given.instance(1), id: offered(1).id }),
      )
      expect(await taken(offered(1))).toBe('gone')
    })
  })
}
