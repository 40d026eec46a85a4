/** The `Store` contract, third part: all or nothing, one snapshot, one winner, one schema. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { HostName } from '../../../src/model/ids.ts'
import type { Store, Tx } from '../../../src/store/store.ts'
import { type StoreFixture, storeFixture } from './fixture.ts'
import * as given from './records.ts'

/** The schema comes to be once, whoever begins. */
export function describeMigrations(begin: () => Promise<StoreFixture>): void {
  describe('migration', () => {
    it('may be started by several hosts at once, and again later', async () => {
      const fixture = await begin()
      try {
        const stores = await Promise.all([fixture.open(), fixture.open(), fixture.open()])
        await Promise.all(stores.map((store) => store.migrate()))
        await Promise.all(stores.map((store) => store.migrate()))
        const found = await Promise.all(
          stores.map((store) => store.read((tx) => tx.instanceTypes())),
        )
        expect(found[0]?.length).toBeGreaterThan(0)
        expect(found[1]).toStrictEqual(found[0])
        expect(found[2]).toStrictEqual(found[0])
      } finally {
        await fixture.end()
      }
    })
  })
}

/** Atomicity, snapshots, and the end of a store. */
export function describeTransactions(begin: () => Promise<StoreFixture>): void {
  describe('transactions', () => {
    const fixture = storeFixture(begin)
    const writes: readonly ((tx: Tx) => Promise<unknown>)[] = [
      (tx) => tx.insertInstance(given.instance(1)),
      (tx) => tx.insertNic(given.nic(1)),
      (tx) => tx.takeCapacity(given.HOST, 1, 1),
      (tx) => tx.insertImage(given.image(1)),
      (tx) => tx.insertAccount(given.account),
      (tx) => tx.insertClientToken(given.clientToken('t')),
      (tx) => tx.updateInstance(given.instance(1).id, { state: 'running' }),
    ]

    it.each(writes.map((_write, index) => index + 1))(
      'leave nothing when the work throws after %i writes, and pass the error on',
      async (count) => {
        const thrown = new Error('the work failed')
        const failing = fixture.store.change(async (tx) => {
          for (const write of writes.slice(0, count)) await write(tx)
          throw thrown
        })
        await expect(failing).rejects.toBe(thrown)
        await fixture.peer.read(async (tx) => {
          expect(await tx.instances({})).toStrictEqual([])
          expect(await tx.nics({})).toStrictEqual([])
          expect(await tx.images({})).toStrictEqual([])
          expect(await tx.hosts()).toStrictEqual([given.freshHost])
          expect(await tx.clientToken(given.ACCOUNT, 'RunInstances', 't')).toBeUndefined()
        })
        await fixture.store.change(async (tx) => {
          for (const write of writes) await write(tx)
        })
        expect(await fixture.peer.read((tx) => tx.nics({}))).toStrictEqual([given.nic(1)])
      },
    )

    it('give what the work gives', async () => {
      expect(await fixture.store.change(async () => 42)).toBe(42)
      expect(await fixture.store.read(async () => 43)).toBe(43)
    })

    it('read one snapshot, whatever another host commits meanwhile', async () => {
      const write = (number: number) =>
        fixture.peer.change(async (tx) => {
          await tx.insertInstance(given.instance(number))
          await tx.insertNic(given.nic(number))
        })
      await write(1)
      const [before, after, nics] = await fixture.store.read(async (tx) => {
        const first = await tx.instances({})
        await write(2)
        return [first, await tx.instances({}), await tx.nics({})]
      })
      expect(before).toStrictEqual([given.instance(1)])
      expect(after).toStrictEqual(before)
      expect(nics).toStrictEqual([given.nic(1)])
      expect(await fixture.store.read((tx) => tx.instances({}))).toHaveLength(2)
    })

    it('that are committed are in every later snapshot that sees the latest, at once', async () => {
      for (let number = 1; number <= 20; number += 1) {
        const [writer, reader] =
          number % 2 === 0 ? [fixture.store, fixture.peer] : [fixture.peer, fixture.store]
        await writer.change((tx) => tx.insertInstance(given.instance(number)))
        const seen = await reader.read((tx) => tx.instances({}), { sees: 'latest' })
        expect(seen).toHaveLength(number)
      }
    })

    it('let others read what was committed while they write', async () => {
      const seen = await fixture.store.change(async (tx) => {
        await tx.insertInstance(given.instance(1))
        return fixture.peer.read((other) => other.instances({}))
      })
      expect(seen).toStrictEqual([])
    })

    it('refuse to wait for themselves', async () => {
      const nested = fixture.store.change(() => fixture.store.read((tx) => tx.hosts()))
      await expect(nested).rejects.toMatchObject({ kind: 'bug' })
      expect(await fixture.store.read((tx) => tx.hosts())).toHaveLength(1)
    })

    it('are finished by close, and unavailable after it', async () => {
      const begun = Promise.withResolvers<void>()
      const mayEnd = Promise.withResolvers<void>()
      const last = fixture.store.change(async (tx) => {
        begun.resolve()
        await mayEnd.promise
        await tx.insertInstance(given.instance(1))
      })
      await begun.promise
      const closing = fixture.store.close()
      await expect(fixture.store.read((tx) => tx.hosts())).rejects.toMatchObject({
        kind: 'unavailable',
      })
      mayEnd.resolve()
      await Promise.all([last, closing])
      expect(await fixture.peer.read((tx) => tx.instances({}))).toHaveLength(1)
    })
  })
}

/** Two hosts, many requests at once. */
export function describeRaces(begin: () => Promise<StoreFixture>): void {
  describe('races', () => {
    const fixture = storeFixture(begin)
    const hostOf = (number: number): Store => (number % 2 === 0 ? fixture.store : fixture.peer)

    it('each address goes to exactly one of many', async () => {
      const anyChoices = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 2, maxLength: 16 })
      await fc.assert(
        fc.asyncProperty(anyChoices, async (choices) => {
          await clearInstances(fixture.store)
          const results = await Promise.all(
            choices.map((choice, index) =>
              hostOf(index).change(async (tx) => {
                const number = 100 + index
                await tx.insertInstance(given.instance(number))
                return tx.insertNic(given.nic(number, { ip: given.nic(choice).ip }))
              }),
            ),
          )
          const won = choices.filter((_choice, index) => results[index] === 'done')
          expect(won.toSorted()).toStrictEqual([...new Set(choices)].toSorted())
          const ips = (await fixture.peer.read((tx) => tx.nics({}))).map((nic) => nic.ip)
          expect(new Set(ips).size).toBe(won.length)
        }),
        { numRuns: 15 },
      )
    })

    it('capacity is handed out once, and its sum is right', async () => {
      const anyDemands = fc.array(
        fc.record({
          vcpus: fc.integer({ min: 0, max: 4 }),
          memoryMiB: fc.integer({ min: 1, max: 2048 }),
        }),
        { minLength: 1, maxLength: 16 },
      )
      await fc.assert(
        fc.asyncProperty(anyDemands, async (demands) => {
          const { vcpus, memoryMiB } = given.hostRow
          const before = await fixture.store.change(async (tx) => {
            await tx.returnCapacity(given.HOST, vcpus, memoryMiB)
            return (await tx.hosts())[0]?.generation ?? 0
          })
          const results = await Promise.all(
            demands.map((demand, index) =>
              hostOf(index).change((tx) =>
                tx.takeCapacity(given.HOST, demand.vcpus, demand.memoryMiB),
              ),
            ),
          )
          const won = demands.filter((_demand, index) => results[index] === 'done')
          const lost = demands.filter((_demand, index) => results[index] === 'full')
          const used = {
            usedVcpus: won.reduce((sum, demand) => sum + demand.vcpus, 0),
            usedMemoryMiB: won.reduce((sum, demand) => sum + demand.memoryMiB, 0),
          }
          const host = (await fixture.store.read((tx) => tx.hosts()))[0]
          expect(host).toMatchObject({ ...used, generation: before + won.length })
          expect(used.usedVcpus).toBeLessThanOrEqual(vcpus)
          expect(used.usedMemoryMiB).toBeLessThanOrEqual(memoryMiB)
          // Capacity only shrinks in this race, so that whoever lost would lose against its end
          // too.
          for (const demand of lost)
            expect(
              used.usedVcpus + demand.vcpus > vcpus ||
                used.usedMemoryMiB + demand.memoryMiB > memoryMiB,
            ).toBe(true)
        }),
        { numRuns: 15 },
      )
    })

    it('one request with a token makes something, and the others find what it made', async () => {
      const results = await Promise.all(
        Array.from({ length: 12 }, (_, index) =>
          hostOf(index).change(async (tx) => {
            const token = given.clientToken('once', { result: `r-${index}` })
            if ((await tx.insertClientToken(token)) === 'done') {
              await tx.insertInstance(given.instance(index))
              return token.result
            }
            return (await tx.clientToken(given.ACCOUNT, 'RunInstances', 'once'))?.result
          }),
        ),
      )
      expect(new Set(results).size).toBe(1)
      expect(await fixture.store.read((tx) => tx.instances({}))).toHaveLength(1)
    })

    it('none of many that claim the same row is run again', async () => {
      const launches = 16
      let runs = 0
      const results = await Promise.all(
        Array.from({ length: launches }, (_, index) =>
          hostOf(index).claim(async (tx) => {
            runs += 1
            await tx.hosts()
            return tx.takeCapacity(given.HOST, 0, 1)
          }),
        ),
      )
      expect(new Set(results)).toStrictEqual(new Set(['done']))
      expect(runs).toBe(launches)
      const [host] = await fixture.store.read((tx) => tx.hosts())
      expect(host?.usedMemoryMiB).toBe(launches)
    })

    it('a single call is seen by others at once, and what it says is what it did', async () => {
      const renew = (host: HostName) =>
        fixture.store.single((tx) =>
          tx.renewLease({ ...given.hostRow, name: host }, -1, {
            lastSeenAt: 'then',
            shortOf: null,
          }),
        )
      expect(await renew(given.HOST)).toBe('done')
      expect(await renew('nobody' as HostName)).toBe('unknown')
      const [host] = await fixture.peer.single((tx) => tx.hosts())
      expect(host).toMatchObject({ live: false, lastSeenAt: 'then' })
    })

    it('no update is lost when many read and then write', async () => {
      const { id } = given.instance(1)
      await fixture.store.change((tx) => tx.insertInstance(given.instance(1)))
      const reboots = 20
      await Promise.all(
        Array.from({ length: reboots }, (_, index) =>
          hostOf(index).change(async (tx) => {
            const [found] = await tx.instances({ ids: [id] })
            await tx.updateInstance(id, { bootCount: (found?.bootCount ?? 0) + 1 })
          }),
        ),
      )
      const [found] = await fixture.store.read((tx) => tx.instances({ ids: [id] }))
      expect(found?.bootCount).toBe(1 + reboots)
    })
  })
}

async function clearInstances(store: Store): Promise<void> {
  await store.change(async (tx) => {
    for (const { id } of await tx.instances({})) {
      await tx.deleteNics(id)
      await tx.deleteInstance(id)
    }
  })
}
