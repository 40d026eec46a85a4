/** NICs by themselves: attached and detached, with further addresses, and who finds out. */
import { describe, expect, it } from 'vitest'
import { ipv4 } from '../../../src/model/addr.ts'
import type { Nic, NicAttachment } from '../../../src/model/records.ts'
import { announcing } from '../../../src/store/announce.ts'
import { ofHost, ofVpc, type Scope } from '../../../src/store/scope.ts'
import type { Tx } from '../../../src/store/store.ts'
import { type StoreFixture, storeFixture } from './fixture.ts'
import * as given from './records.ts'

const RACES = 4
const [FIRST, SECOND] = [ipv4('172.31.9.1'), ipv4('172.31.9.2')]

function attachment(number: number): NicAttachment {
  return { id: given.nth('eni-attach', number), attachedAt: given.NOW, deleteOnTermination: false }
}

/** One that is attached to nothing. */
function loose(number: number, change: Partial<Nic> = {}): Nic {
  return { ...given.nic(number), instance: null, description: 'loose', ...change }
}

function place(number: number, deviceIndex = 1) {
  return {
    instance: given.instance(number).id,
    deviceIndex,
    attachment: attachment(number),
  }
}

async function launch(tx: Tx, number: number): Promise<void> {
  await tx.insertInstance(given.instance(number))
  await tx.insertNic(given.nic(number))
}

/** NICs. */
export function describeNics(begin: () => Promise<StoreFixture>): void {
  describe('NICs', () => {
    const fixture = storeFixture(begin)
    const write = <R>(work: (tx: Tx) => Promise<R>) => fixture.store.change(work)
    const read = (id: Nic['id']) => fixture.peer.read((tx) => tx.nics({ ids: [id] }))

    it('are attached, changed and detached, and keep what they are', async () => {
      const nic = loose(5, { secondaryIps: [FIRST, SECOND], sourceDestCheck: false })
      await write(async (tx) => {
        await launch(tx, 1)
        await tx.insertNic(nic)
      })
      expect(await read(nic.id)).toStrictEqual([nic])
      expect(await fixture.peer.read((tx) => tx.countNics(given.ACCOUNT))).toBe(2)
      const placed = () => fixture.peer.read((tx) => tx.placedNics({ hosts: [given.HOST] }))
      expect(await placed()).toHaveLength(1)
      expect(await write((tx) => tx.attachNic(nic, place(1)))).toBe('done')
      expect(await write((tx) => tx.attachNic(nic, place(1, 2)))).toBe('in-use')
      expect((await placed())[1]).toMatchObject({ ...nic, ...place(1), host: given.HOST })
      const attached = { ...nic, ...place(1) }
      await write(async (tx) => {
        await tx.updateAttachment(attached, { ...attachment(1), isEnding: true })
        await tx.updateNic(attached, { description: 'new', sourceDestCheck: true })
      })
      const { sourceDestCheck: _, ...rest } = attached
      expect(await read(nic.id)).toStrictEqual([
        { ...rest, description: 'new', attachment: { ...attachment(1), isEnding: true } },
      ])
      await write((tx) => tx.detachNic(attached))
      const { sourceDestCheck: _none, ...checked } = nic
      expect(await read(nic.id)).toStrictEqual([{ ...checked, description: 'new' }])
      await write((tx) => tx.deleteNic(nic))
      expect(await read(nic.id)).toEqual([])
    })

    it('of one instance have device indexes of their own', async () => {
      await write(async (tx) => {
        await launch(tx, 1)
        await tx.insertNic(loose(5))
      })
      expect(await write((tx) => tx.attachNic(loose(5), place(1, 0)))).toBe('taken')
    })

    it('have addresses that no other of the VPC has, as first or further ones', async () => {
      const further = (number: number, ip = FIRST) => ({
        ...loose(number, { ip: ipv4(`172.31.8.${number}`) }),
        secondaryIps: [ip],
      })
      const results = await write(async (tx) => [
        await tx.insertNic(further(5)),
        await tx.insertNic(further(6)),
        await tx.insertNic(loose(7, { ip: FIRST })),
        await tx.insertNicAddress(further(5), SECOND),
        await tx.insertNicAddress(further(5), ipv4('172.31.8.5')),
        await tx.insertNic(further(8, ipv4('172.31.8.5'))),
      ])
      expect(results).toEqual(['done', 'taken', 'taken', 'done', 'taken', 'taken'])
      const taken = (of?: readonly (typeof FIRST)[]) =>
        fixture.peer.read((tx) => tx.takenAddresses(given.subnet.id, of))
      expect(await taken()).toEqual(['172.31.8.5', FIRST, SECOND])
      expect(await taken([SECOND, ipv4('172.31.8.6')])).toEqual([SECOND])
      await write((tx) => tx.deleteNicAddress(further(5), SECOND))
      expect(await taken()).toEqual(['172.31.8.5', FIRST])
      expect(await read(given.nic(6).id)).toEqual([])
    })

    it('get an address of which one of two requests at once is given', async () => {
      await write(async (tx) => {
        await tx.insertNic(loose(5))
        await tx.insertInstance(given.instance(6))
      })
      for (let race = 1; race <= RACES; race += 1) {
        const ip = ipv4(`172.31.9.${race}`)
        const nic = given.nic(6, { id: given.nth('eni', 60 + race), ip })
        const results = await Promise.all([
          fixture.store.change((tx) => tx.insertNicAddress(loose(5), ip)),
          fixture.peer.claim((tx) => tx.insertNic(nic)),
        ])
        expect(results.toSorted()).toEqual(['done', 'taken'])
        await write((tx) => tx.deleteNics(given.instance(6).id))
      }
    })

    it('are attached to one of two instances that ask at once', async () => {
      for (let race = 1; race <= RACES; race += 1) {
        const nic = loose(50 + race)
        await write(async (tx) => {
          await launch(tx, 2 * race)
          await launch(tx, 2 * race + 1)
          await tx.insertNic(nic)
        })
        const results = await Promise.all(
          [fixture.store, fixture.peer].map((store, at) =>
            store.claim((tx) => tx.attachNic(nic, place(2 * race + at))),
          ),
        )
        expect(results.toSorted()).toEqual(['done', 'in-use'])
      }
    })

    it('concern the hosts that they come to and leave, and nobody in between', async () => {
      await write((tx) => launch(tx, 1))
      const touched = async (work: (tx: Tx) => Promise<unknown>) => {
        let told: readonly Scope[] = []
        const store = announcing(fixture.store, (scopes) => {
          told = scopes
        })
        await store.change(work)
        return told
      }
      const both = [ofHost(given.HOST), ofVpc(given.vpc.id, given.HOST)]
      const nic = loose(5)
      const attached = { ...nic, ...place(1) }
      expect(await touched((tx) => tx.insertNic(nic))).toEqual([])
      expect(await touched((tx) => tx.insertNicAddress(nic, FIRST))).toEqual([])
      expect(await touched((tx) => tx.updateNic(nic, { sourceDestCheck: false }))).toEqual([])
      expect(await touched((tx) => tx.attachNic(nic, place(1)))).toEqual(both)
      expect(await touched((tx) => tx.insertNicAddress(attached, SECOND))).toEqual(both)
      expect(await touched((tx) => tx.deleteNicAddress(attached, SECOND))).toEqual(both)
      expect(await touched((tx) => tx.detachNic(attached))).toEqual(both)
      expect(await touched((tx) => tx.deleteNic(nic))).toEqual([])
    })
  })
}
