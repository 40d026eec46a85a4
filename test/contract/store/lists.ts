/** The `Store` contract: long lists that are read in parts. */
import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import type { Instance, Nic, Tag, Volume } from '../../../src/model/records.ts'
import type {
  InstanceRestriction,
  NicRestriction,
  TagListRestriction,
  VolumeRestriction,
} from '../../../src/store/records/lists.ts'
import type { Part, PartQuery, Position, Restriction } from '../../../src/store/records/part.ts'
import type { ReadTx, Store } from '../../../src/store/store.ts'
import { volumeRecord } from '../../kit/records.ts'
import { type StoreFixture, storeFixture } from './fixture.ts'
import * as given from './records.ts'

const STATES = ['pending', 'running', 'shutting-down', 'terminated', 'stopping', 'stopped'] as const
const COUNT = 30

/** Instances that differ in everything that lists are restricted by. */
export const INSTANCES = Array.from({ length: COUNT }, (_, index) => {
  const number = index + 1
  return given.instance(number, {
    account: number % 7 === 0 ? given.OTHER_ACCOUNT : given.ACCOUNT,
    // Reservations in another order than ids, and some of several instances.
    reservation: given.nth('r', (number * 11) % 13),
    launchIndex: number % 4 === 0 ? 10 : number % 4,
    state: STATES[number % STATES.length] ?? 'running',
    image: given.nth('ami', number % 3),
    type: number % 2 === 0 ? 't3.micro' : 'm5.large',
    keyName: number % 3 === 0 ? null : `key é ${number % 3}`,
    clientToken: number % 5 === 0 ? `token ${number}` : null,
  })
})
const NICS: readonly Nic[] = INSTANCES.flatMap(({ id, state, account }, index) => {
  if (state === 'terminated') return []
  const isFar = index % 3 === 0
  const place = isFar ? { vpc: given.farVpc.id, subnet: given.farSubnet.id } : {}
  const groups = index % 2 === 0 ? [given.otherGroup.id, given.group.id] : []
  const own = given.nic(index + 1, { id: given.nth('eni', COUNT - index), account, groups })
  const more = { deviceIndex: 1, groups: [given.group.id] }
  const second = given.nic(100 + index, { instance: id, account, ...more })
  return index % 5 === 0 ? [{ ...own, ...place }, second] : [{ ...own, ...place }]
}).concat(given.nic(200, { instance: null }))
const VOLUMES: readonly Volume[] = INSTANCES.flatMap((instance, index) => {
  const state = index % 4 === 0 ? 'deleting' : 'in-use'
  return index % 2 === 0
    ? volumeRecord(index + 1, instance, { account: instance.account, state })
    : []
}).concat(
  volumeRecord(99, given.instance(1), {
    ...{ account: given.ACCOUNT, instance: null, state: 'available' },
    zone: 'atoll-1b',
  }),
)
const KEYS = ['Name', 'name', '𝄞', '￮', 'z']
export const TAGS: readonly Tag[] = [...INSTANCES, ...NICS, ...VOLUMES].flatMap(
  ({ id, account }, index) =>
    KEYS.slice(0, index % (KEYS.length + 1)).map((key, at) => ({
      ...{ account, resource: id, resourceType: id.startsWith('i-') ? 'instance' : 'volume' },
      ...{ key, value: ['', 'a', '𝄞 b '][(index + at) % 3] ?? '' },
    })),
)

/** Writes all of them into settled records. */
export async function fillLists(store: Store): Promise<void> {
  await store.change(async (tx) => {
    await tx.insertVpc(given.farVpc)
    await tx.insertSubnet(given.farSubnet)
    for (const one of INSTANCES) await tx.insertInstance(one)
    for (const nic of NICS) await tx.insertNic(nic)
    for (const volume of VOLUMES) await tx.insertVolume(volume)
    await tx.putTags(TAGS)
  })
}

/** What the records are compared with: by name, the values that a row has. */
type ValuesOf<Row, Name extends string> = Readonly<Record<Name, (row: Row) => readonly unknown[]>>

const nicsOf = ({ id }: Instance) => NICS.filter(({ instance }) => instance === id)

const OF_INSTANCES: ValuesOf<Instance, InstanceRestriction> = {
  id: ({ id }) => [id],
  reservation: ({ reservation }) => [reservation],
  state: ({ state }) => [state],
  image: ({ image }) => [image],
  type: ({ type }) => [type],
  keyName: ({ keyName }) => [keyName],
  clientToken: ({ clientToken }) => [clientToken],
  vpc: (one) => nicsOf(one).map(({ vpc }) => vpc),
  subnet: (one) => nicsOf(one).map(({ subnet }) => subnet),
  nic: (one) => nicsOf(one).map(({ id }) => id),
  privateIp: (one) => nicsOf(one).map(({ ip }) => ip),
  group: (one) => nicsOf(one).flatMap(({ groups }) => groups),
  publicIp: () => [],
  volume: ({ id }) => VOLUMES.flatMap((one) => (one.instance === id ? one.id : [])),
}
const OF_NICS: ValuesOf<Nic, NicRestriction> = {
  id: ({ id }) => [id],
  instance: ({ instance }) => [instance],
  vpc: ({ vpc }) => [vpc],
  subnet: ({ subnet }) => [subnet],
  privateIp: ({ ip }) => [ip],
  mac: ({ mac }) => [mac],
  group: ({ groups }) => groups,
  publicIp: () => [],
}
const OF_VOLUMES: ValuesOf<Volume, VolumeRestriction> = {
  id: ({ id }) => [id],
  instance: ({ instance }) => [instance],
  state: ({ state }) => [state],
  zone: ({ zone }) => [zone],
  volumeType: ({ volumeType }) => [volumeType],
}
const OF_TAGS: ValuesOf<Tag, TagListRestriction> = {
  resource: ({ resource }) => [resource],
  resourceType: ({ resourceType }) => [resourceType],
  key: ({ key }) => [key],
  value: ({ value }) => [value],
}

/** Any restrictions by values that some rows have, and by one that none has. */
function anyRestrictions<Row, Name extends string>(
  rows: readonly Row[],
  valuesOf: ValuesOf<Row, Name>,
): fc.Arbitrary<readonly Restriction<Name>[]> {
  const byValue = Object.entries<(row: Row) => readonly unknown[]>(valuesOf).map(([by, read]) => {
    const known = rows.flatMap(read).filter((value) => typeof value === 'string')
    return fc.record({
      by: fc.constant(by as Name),
      values: fc.array(fc.constantFrom('nobody', ...known), { minLength: 1, maxLength: 10 }),
    })
  })
  const byTag = fc.record(
    {
      by: fc.constant('tag' as const),
      keys: fc.subarray([...KEYS, 'none'], { minLength: 1 }),
      values: fc.subarray(['', 'a', '𝄞 b ', '𝄞 b'], { minLength: 1 }),
    },
    { requiredKeys: ['by', 'keys'] },
  )
  return fc.array(fc.oneof({ arbitrary: fc.oneof(...byValue), weight: 3 }, byTag), { maxLength: 3 })
}

/** Whether a row is restricted so; `resource` is what its tags are of. */
function fits<Row, Name extends string>(
  row: Row,
  resource: string,
  restriction: Restriction<Name>,
  valuesOf: ValuesOf<Row, Name>,
): boolean {
  if ('keys' in restriction)
    return TAGS.some(
      (tag) =>
        tag.resource === resource &&
        restriction.keys.includes(tag.key) &&
        (restriction.values?.includes(tag.value) ?? true),
    )
  return valuesOf[restriction.by](row).some((value) =>
    restriction.values.some((one) => one === value),
  )
}

const anyReach = fc.record({
  few: fc.constantFrom(0, 1, 5, 1000),
  window: fc.constantFrom(3, 7, 1000),
})

/** All parts of a list, each from the next of the stores. */
async function allParts<Id extends string>(
  stores: readonly Store[],
  read: (tx: ReadTx, at: { readonly after?: Position }) => Promise<Part<Id>>,
): Promise<readonly Part<Id>[]> {
  const parts: Part<Id>[] = []
  for (let after: Position | null | undefined; after !== null; ) {
    const at = after === undefined ? {} : { after }
    const store = stores[parts.length % stores.length]
    if (store === undefined) throw new Error('there is no store')
    const part = await store.read((tx) => read(tx, at))
    parts.push(part)
    after = part.next
  }
  return parts
}

/** By the bytes of their texts. */
function inOrder<Row>(rows: readonly Row[], key: (row: Row) => readonly (string | number)[]) {
  const bytes = (value: string | number) => Buffer.from(String(value).padStart(8, '\0'))
  return rows.toSorted((a, b) => {
    for (const [index, value] of key(a).entries()) {
      const compared = Buffer.compare(
        typeof value === 'number' ? bytes(value) : Buffer.from(value),
        typeof value === 'number' ? bytes(key(b)[index] ?? 0) : Buffer.from(String(key(b)[index])),
      )
      if (compared !== 0) return compared
    }
    return 0
  })
}

/** Parts of lists, under all circumstances, are the list. */
export function describeLists(begin: () => Promise<StoreFixture>): void {
  describe('long lists', () => {
    const fixture = storeFixture(begin)
    beforeEach(() => fillLists(fixture.store))

    const isShown = ({ instance }: Volume) =>
      instance === null ||
      INSTANCES.some((one) => one.id === instance && one.state !== 'terminated')

    it.each([
      {
        what: 'instances by id',
        rows: INSTANCES,
        valuesOf: OF_INSTANCES,
        read: (tx: ReadTx, query: PartQuery<InstanceRestriction>) => tx.instancePart(query),
        key: ({ id }: Instance) => [id],
        resource: ({ id }: Instance) => id,
      },
      {
        what: 'instances by launch',
        rows: INSTANCES,
        valuesOf: OF_INSTANCES,
        read: (tx: ReadTx, query: PartQuery<InstanceRestriction>) => tx.launchPart(query),
        key: (one: Instance) => [one.reservation, one.launchIndex, one.id],
        resource: ({ id }: Instance) => id,
      },
      {
        what: 'NICs',
        rows: NICS,
        valuesOf: OF_NICS,
        read: (tx: ReadTx, query: PartQuery<NicRestriction>) => tx.nicPart(query),
        key: ({ id }: Nic) => [id],
        resource: ({ id }: Nic) => id,
      },
      {
        what: 'volumes, but not what is left of ended instances',
        rows: VOLUMES.filter(isShown),
        valuesOf: OF_VOLUMES,
        read: (tx: ReadTx, query: PartQuery<VolumeRestriction>) => tx.volumePart(query),
        key: ({ id }: Volume) => [id],
        resource: ({ id }: Volume) => id,
      },
      {
        what: 'tags',
        rows: TAGS,
        valuesOf: OF_TAGS,
        read: (tx: ReadTx, query: PartQuery<TagListRestriction>) => tx.tagPart(query),
        key: ({ resource, key }: Tag) => [resource, key],
        resource: ({ resource }: Tag) => resource,
      },
    ] as const)('$what: the parts are what is restricted so, in order', async (of) => {
      // The compiler does not see that the members of one list fit each other.
      const { rows, valuesOf, read, key, resource } = of as unknown as {
        readonly rows: readonly Instance[]
        readonly valuesOf: ValuesOf<Instance, 'id'>
        readonly read: (tx: ReadTx, query: PartQuery<'id'>) => Promise<Part<string>>
        readonly key: (row: Instance) => readonly (string | number)[]
        readonly resource: (row: Instance) => string
      }
      await fc.assert(
        fc.asyncProperty(
          anyRestrictions(rows, valuesOf),
          fc.constantFrom(given.ACCOUNT, given.OTHER_ACCOUNT, undefined),
          fc.integer({ min: 3, max: 9 }),
          anyReach,
          async (restrictions, account, limit, reach) => {
            const common = { restrictions, limit, reach, ...(account && { account }) }
            const parts = await allParts([fixture.store, fixture.peer], (tx, at) =>
              read(tx, { ...common, ...at }),
            )
            const expected = rows.filter(
              (row) =>
                (account === undefined || row.account === account) &&
                restrictions.every((one) => fits(row, resource(row), one, valuesOf)),
            )
            expect(parts.flatMap(({ keys }) => keys)).toEqual(inOrder(expected, key).map(key))
            expect(parts.flatMap(({ ids }) => ids)).toEqual(inOrder(expected, key).map(resource))
            expect(parts.every(({ ids }) => ids.length <= limit)).toBe(true)
          },
        ),
        { numRuns: 25 },
      )
    })

    it('instances in some states with a tag, whatever stretch of the index ends first', async () => {
      const restrictions = [
        { by: 'state', values: ['running', 'stopped', 'pending'] },
        { by: 'tag', keys: ['Name', '￮'] },
      ] as const
      const expected = INSTANCES.filter((one) =>
        restrictions.every((each) => fits(one, one.id, each, OF_INSTANCES)),
      )
      for (const window of [1, 2, 3, 4]) {
        const query = { restrictions, limit: 5, reach: { few: 0, window } }
        const parts = await allParts([fixture.store], (tx, at) =>
          tx.launchPart({ ...query, ...at }),
        )
        const key = (one: Instance) => [one.reservation, one.launchIndex, one.id]
        expect(parts.flatMap(({ ids }) => ids)).toEqual(inOrder(expected, key).map(({ id }) => id))
      }
    })

    it('tags of few resources by the bytes of their keys', async () => {
      const resources = TAGS.map(({ resource }) => resource)
      const restrictions = [{ by: 'resource', values: resources }] as const
      const parts = await allParts([fixture.store], (tx, at) =>
        tx.tagPart({ restrictions, limit: 3, ...at }),
      )
      const key = ({ resource, key: name }: Tag) => [resource, name]
      expect(parts.flatMap(({ keys }) => keys)).toEqual(inOrder(TAGS, key).map(key))
    })

    it('neither repeat nor lose what stays while others come and go', async () => {
      const odd = INSTANCES.filter((_, index) => index % 2 === 1)
      const seen: string[] = []
      let after: Position | null | undefined
      for (let turn = 0; after !== null; turn += 1) {
        const at = after === undefined ? {} : { after }
        const part: Part<string> = await fixture.peer.read((tx) =>
          tx.launchPart({ limit: 4, reach: { few: 0, window: 3 }, ...at }),
        )
        seen.push(...part.ids)
        after = part.next
        const goes = INSTANCES[turn * 2]
        const comes = given.instance(1000 + turn, { reservation: given.nth('r', turn) })
        await fixture.store.change(async (tx) => {
          await tx.insertInstance(comes)
          if (goes === undefined) return
          await tx.deleteNics(goes.id)
          await tx.deleteInstance(goes.id)
        })
      }
      expect(new Set(seen).size).toBe(seen.length)
      expect(seen).toEqual(expect.arrayContaining(odd.map(({ id }) => id)))
    })
  })
}
