import { expect, it } from 'vitest'
import { type HostName, parseHostName } from '../../../src/model/ids.ts'
import type { Host } from '../../../src/model/records.ts'
import { choicesInGroup, type GroupMembers } from '../../../src/plan/placement-group.ts'

const named = (name: string) => parseHostName(name) as HostName
const HOSTS = ['a', 'b', 'c', 'd'].map((name) => ({ name: named(name) }) as Host)

function choices(
  group: GroupMembers['group'],
  slots: readonly (readonly [host: string, partition: number, members: number])[],
  partition: number | null = null,
): readonly string[] {
  const known = slots.map(([host, partitionNumber, members]) => ({
    ...{ host: named(host), partitionNumber, members },
  }))
  return choicesInGroup({ group, slots: known }, HOSTS, partition).map(
    (choice) => `${choice.partition ?? '-'}: ${choice.hosts.map(({ name }) => name).join('')}`,
  )
}

it('spreads over hosts that have no member', () => {
  const spread = { strategy: 'spread', partitionCount: null } as const
  expect(choices(spread, [])).toEqual(['-: abcd'])
  expect(
    choices(spread, [
      ['b', 0, 1],
      ['d', 0, 1],
    ]),
  ).toEqual(['-: ac'])
})

it('keeps a cluster on the hosts that it has, the fullest first', () => {
  const cluster = { strategy: 'cluster', partitionCount: null } as const
  expect(
    choices(cluster, [
      ['b', 0, 1],
      ['c', 0, 3],
    ]),
  ).toEqual(['-: c', '-: b', '-: ad'])
})

it('puts no host into two partitions, and fills the emptiest partition first', () => {
  const partition = { strategy: 'partition', partitionCount: 3 } as const
  const slots = [
    ['a', 1, 2],
    ['b', 3, 1],
  ] as const
  expect(choices(partition, slots)).toEqual(['2: ', '2: cd', '3: b', '3: cd', '1: a', '1: cd'])
  expect(choices(partition, slots, 1)).toEqual(['1: a', '1: cd'])
  // A host of which only is known that another launch has it belongs to none.
  expect(choices(partition, [['a', -1, 1]], 1)).toEqual(['1: ', '1: bcd'])
})
