/** Floating IPs: what is unique, what ends with a NIC, and who finds out first. */
import { describe, expect, it } from 'vitest'
import { ipv4 } from '../../../src/model/addr.ts'
import type { Address } from '../../../src/model/records.ts'
import { ofHost, ofVpc, type Scope } from '../../../src/store/scope.ts'
import type { Tx } from '../../../src/store/store.ts'
import { type StoreFixture, storeFixture } from './fixture.ts'
import * as given from './records.ts'

const RACES = 4

/** An allocated address that leads nowhere. */
function address(number: number, change: Partial<Address> = {}): Address {
  return {
    id: given.nth('eipalloc', number),
    account: given.ACCOUNT,
    ip: ipv4(`203.0.113.${number}`),
    pool: 'public',
    isAutomatic: false,
    association: null,
    createdAt: given.NOW,
    ...change,
  }
}

function association(number: number, nic = given.nic(1)) {
  return { id: given.nth('eipassoc', number), nic: nic.id, privateIp: nic.ip }
}

async function launch(tx: Tx, number: number): Promise<void> {
  await tx.insertInstance(given.instance(number))
  await tx.insertNic(given.nic(number))
}

/** Addresses. */
export function describeAddresses(begin: () => Promise<StoreFixture>): void {
  describe('addresses', () => {
    const fixture = storeFixture(begin)
    const write = <R>(work: (tx: Tx) => Promise<R>) => fixture.store.change(work)
    const read = () => fixture.peer.read((tx) => tx.addresses({}))

    it('are there once, and found by account, id, address and NIC', async () => {
      await write((tx) => launch(tx, 1))
      const all = [
        address(1),
        address(2, { account: given.OTHER_ACCOUNT }),
        address(3, { association: association(3) }),
      ]
      const results = await write(async (tx) => {
        const done: string[] = []
        for (const one of all) done.push(await tx.insertAddress(one))
        done.push(await tx.insertAddress(address(9, { ip: ipv4('203.0.113.1') })))
        return done
      })
      expect(results).toEqual(['done', 'done', 'done', 'taken'])
      await fixture.peer.read(async (tx) => {
        expect(await tx.addresses({})).toStrictEqual(all)
        expect(await tx.addresses({ account: given.OTHER_ACCOUNT })).toStrictEqual([all[1]])
        expect(await tx.addresses({ ids: [given.nth('eipalloc', 1)] })).toStrictEqual([all[0]])
        expect(await tx.addresses({ ips: [ipv4('203.0.113.2')] })).toStrictEqual([all[1]])
        expect(await tx.addresses({ nics: [given.nic(1).id] })).toStrictEqual([all[2]])
        expect(await tx.addresses({ ids: [] })).toEqual([])
        expect(await tx.allocatedAddresses()).toEqual({ ips: all.map(({ ip }) => ip), lostOf: [] })
      })
    })

    it('lead to one private address each, which the NIC is placed with', async () => {
      await write(async (tx) => {
        await launch(tx, 1)
        await launch(tx, 2)
        await tx.insertAddress(address(1))
        await tx.insertAddress(address(2))
      })
      expect(
        await write(async (tx) => [
          await tx.associateAddress(address(1).id, association(1)),
          await tx.associateAddress(address(2).id, association(2)),
          await tx.associateAddress(address(2).id, association(2, given.nic(2))),
          await tx.deleteAddress(address(1).id),
        ]),
      ).toEqual(['done', 'taken', 'done', 'in-use'])
      const placed = await fixture.peer.read((tx) => tx.placedNics({ hosts: [given.HOST] }))
      expect(placed.map(({ publicIp }) => publicIp)).toEqual(['203.0.113.1', '203.0.113.2'])
      await write((tx) => tx.associateAddress(address(1).id, null))
      expect(await write((tx) => tx.deleteAddress(address(1).id))).toBe('done')
      expect((await read()).map(({ id }) => id)).toEqual([address(2).id])
    })

    it('lead nowhere when the NIC is gone, and are gone if they came with it', async () => {
      await write(async (tx) => {
        await launch(tx, 1)
        await launch(tx, 2)
        await tx.insertAddress(address(1, { association: association(1) }))
        const automatic = { association: association(2, given.nic(2)), isAutomatic: true }
        await tx.insertAddress(address(2, automatic))
      })
      expect((await read()).map(({ isAutomatic }) => isAutomatic)).toEqual([false, true])
      await write(async (tx) => {
        await tx.deleteNics(given.instance(1).id)
        await tx.deleteNics(given.instance(2).id)
      })
      expect(await read()).toStrictEqual([address(1)])
    })

    it('are given to one of those who ask for the same at once', async () => {
      for (let race = 1; race <= RACES; race += 1) {
        const ip = ipv4(`203.0.113.${race}`)
        const results = await Promise.all(
          [fixture.store, fixture.peer].map((store, at) =>
            store.change((tx) => tx.insertAddress(address(10 * race + at, { ip }))),
          ),
        )
        expect(results.toSorted()).toEqual(['done', 'taken'])
      }
    })

    it('lead to what one of those said who associate them at once', async () => {
      for (let race = 1; race <= RACES; race += 1) {
        const numbers = [2 * race, 2 * race + 1]
        await write(async (tx) => {
          for (const number of numbers) await launch(tx, number)
          await tx.insertAddress(address(race))
        })
        const results = await Promise.all(
          [fixture.store, fixture.peer].map((store, at) =>
            store.change(async (tx) => {
              const [known] = await tx.addresses({ ids: [address(race).id] })
              if (known?.association !== null) return 'associated'
              const nic = given.nic(numbers[at] ?? 0)
              return await tx.associateAddress(known.id, association(numbers[at] ?? 0, nic))
            }),
          ),
        )
        expect(results.toSorted()).toEqual(['associated', 'done'])
      }
    })

    it('lead to a NIC for one of those who associate two with it at once', async () => {
      for (let race = 1; race <= RACES; race += 1) {
        const pair = [address(2 * race), address(2 * race + 1)]
        await write(async (tx) => {
          await launch(tx, race)
          for (const one of pair) await tx.insertAddress(one)
        })
        const results = await Promise.all(
          [fixture.store, fixture.peer].map((store, at) =>
            store.change((tx) =>
              tx.associateAddress(
                pair[at]?.id ?? address(0).id,
                association(2 * race + at, given.nic(race)),
              ),
            ),
          ),
        )
        expect(results.toSorted()).toEqual(['done', 'taken'])
      }
    })
  })
}

/** For the table of what writes touch: each after a launch. */
export const ADDRESS_WRITES: readonly [
  string,
  (tx: Tx) => Promise<unknown>,
  readonly Scope[] | null,
][] = [
  ['an address', (tx) => tx.insertAddress(address(1)), null],
  [
    'an address that leads to a NIC',
    (tx) => tx.insertAddress(address(1, { association: association(1) })),
    [ofHost(given.HOST), ofVpc(given.vpc.id, given.HOST)],
  ],
  [
    'an address that begins to lead to a NIC, and ends to',
    async (tx) => {
      await tx.insertAddress(address(1))
      await tx.associateAddress(address(1).id, association(1))
      await tx.associateAddress(address(1).id, null)
    },
    [ofHost(given.HOST), ofVpc(given.vpc.id, given.HOST)],
  ],
  [
    'an address that goes',
    async (tx) => {
      await tx.insertAddress(address(1))
      await tx.deleteAddress(address(1).id)
    },
    null,
  ],
]
