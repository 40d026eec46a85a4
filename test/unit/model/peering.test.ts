import { expect, it } from 'vitest'
import { cidr } from '../../../src/model/addr.ts'
import { type ActivePeering, usablePeerings } from '../../../src/model/peering.ts'
import { numbered } from '../../kit/records.ts'

/** By number. Those up to 3 have no network of their own. */
const RANGES = [
  ...['172.31.0.0/16', '172.30.0.0/16', '172.29.0.0/16', '10.1.0.0/16'],
  ...['10.2.0.0/16', '10.1.128.0/20', '172.31.16.0/20'],
]
const VPCS = RANGES.map((range, at) => ({
  ...{ id: numbered('vpc', at + 1), cidr: cidr(range), network: at < 3 ? null : at },
}))

it.each([
  ['two with networks of their own', [[4, 5]], [0]],
  ['one in the network of the hosts', [[1, 4]], [0]],
  [
    'several peers of the one there',
    [
      [1, 4],
      [5, 1],
    ],
    [0, 1],
  ],
  ['two in the network of the hosts', [[1, 2]], []],
  [
    'two peers in the network of the hosts',
    [
      [1, 4],
      [4, 2],
      [2, 5],
    ],
    [0, 2],
  ],
  ['ranges that overlap', [[1, 7]], []],
  [
    'a peer that overlaps another peer',
    [
      [1, 4],
      [1, 6],
    ],
    [0],
  ],
  [
    'a peer that overlaps another peer of the other',
    [
      [4, 5],
      [6, 5],
    ],
    [0],
  ],
  ['one that is not there', [[4, 99]], []],
] as const)('%s', (_what, pairs, usable) => {
  const peerings: readonly ActivePeering[] = pairs.map(([a, b], at) => ({
    id: numbered('pcx', at),
    vpcs: [numbered('vpc', a), numbered('vpc', b)],
  }))
  const found = usablePeerings(peerings, VPCS)
  expect(found.map((one) => peerings.indexOf(one))).toEqual(usable)
})
