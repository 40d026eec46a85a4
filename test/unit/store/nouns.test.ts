/** Rows and records: each way and back. */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Cidr, ipv4FromNumber } from '../../../src/model/addr.ts'
import { formatId } from '../../../src/model/ids.ts'
import type { StateReason } from '../../../src/model/records.ts'
import { NOUNS } from '../../../src/store/nouns.ts'
import {
  changeToColumns,
  instanceFromRow,
  instanceToRow,
} from '../../../src/store/records/instance-row.ts'
import {
  subnetFromRow,
  subnetToRow,
  vpcFromRow,
  vpcToRow,
} from '../../../src/store/records/network.ts'
import { nicsFromRows, nicToRows } from '../../../src/store/records/nic-rows.ts'
import * as given from '../../contract/store/records.ts'

const anyCidr: fc.Arbitrary<Cidr> = fc
  .tuple(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.integer({ min: 0, max: 32 }))
  .map(([value, prefix]) => ({
    network: ipv4FromNumber(value - (value % 2 ** (32 - prefix))),
    prefix,
  }))

/** What a column may hold: nothing that a driver would have to guess at. */
function expectPlain(row: object): void {
  for (const value of Object.values(row))
    expect(value === null || ['string', 'number'].includes(typeof value)).toBe(true)
}

it('no two nouns have a table or a method of the same name', () => {
  const session = { db: { dynamic: null } } as never
  const methods = NOUNS.flatMap((one) => [
    ...Object.keys(one.reads(session)),
    ...Object.keys(one.writes(session)),
  ])
  const tables = NOUNS.flatMap((one) => Object.keys(one.tables))
  expect(new Set(methods).size).toBe(methods.length)
  expect(new Set(tables).size).toBe(tables.length)
})

describe('rows', () => {
  it('of networks', () => {
    fc.assert(
      fc.property(anyCidr, fc.boolean(), (cidr, isDefault) => {
        const vpc = { ...given.vpc, cidr, isDefault }
        const subnet = { ...given.subnet, cidr, isDefault }
        expectPlain(vpcToRow(vpc))
        expectPlain(subnetToRow(subnet))
        expect(vpcFromRow(vpcToRow(vpc))).toStrictEqual(vpc)
        const wide = {
          ...vpc,
          moreCidrs: [{ id: formatId('vpc-cidr-assoc', new Uint8Array(9)), cidr: given.vpc.cidr }],
        }
        expectPlain(vpcToRow(wide))
        expect(vpcFromRow(vpcToRow(wide))).toStrictEqual(wide)
        expect(subnetFromRow(subnetToRow(subnet))).toStrictEqual(subnet)
      }),
    )
  })

  it('of instances, and of their changes', () => {
    fc.assert(
      fc.property(given.anyInstance(1), given.anyInstanceChange, (instance, change) => {
        const row = instanceToRow(instance)
        expectPlain(row)
        expect(instanceFromRow(row)).toStrictEqual(instance)
        const columns = changeToColumns(change)
        expectPlain(columns)
        expect(instanceFromRow({ ...row, ...columns })).toStrictEqual({ ...instance, ...change })
      }),
    )
  })

  it('of NICs keep each one’s groups in their order', () => {
    const anyGroups = fc.uniqueArray(fc.integer({ min: 1, max: 9 }), { maxLength: 5 })
    fc.assert(
      fc.property(fc.array(anyGroups, { maxLength: 5 }), (lists) => {
        const nics = lists.map((numbers, index) =>
          given.nic(index + 1, { groups: numbers.map((number) => given.nth('sg', number)) }),
        )
        const rows = nics.map(nicToRows)
        for (const { nic } of rows) expectPlain(nic)
        const groups = rows.flatMap((row) => row.groups)
        expect(
          nicsFromRows(
            rows.map((row) => row.nic),
            groups,
          ),
        ).toStrictEqual(nics)
      }),
    )
  })
})

it.each<[StateReason | null, object]>([
  [null, { stateReasonCode: null, stateReasonMessage: null }],
  [
    { code: 'c', message: '' },
    { stateReasonCode: 'c', stateReasonMessage: '' },
  ],
])('a change of the reason to %o sets both of its columns', (stateReason, columns) => {
  expect(changeToColumns({ stateReason })).toStrictEqual(columns)
})

it('a change without a reason leaves its columns alone', () => {
  expect(changeToColumns({ bootSeen: 2 })).toStrictEqual({ bootSeen: 2 })
})

it('a network that is none is not passed on', () => {
  expect(() => vpcFromRow({ ...vpcToRow(given.vpc), cidr: '172.31.0.1/16' })).toThrow(RangeError)
})
