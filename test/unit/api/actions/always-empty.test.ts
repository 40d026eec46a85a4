/**
 * What Atoll has none of is an empty list to every client, and a thing of that kind that is named
 * does not exist.
 */
import { describe, expect, it } from 'vitest'
import { alwaysEmptyActions } from '../../../../src/api/actions/always-empty.ts'
import { actionTable } from '../../../../src/api/wire/table.ts'
import { encodeAnswer } from '../../../../src/api/wire/xml.ts'
import { known } from '../../../kit/api.ts'
import { openCloud } from '../../../kit/api-cloud.ts'
import { newBudget } from '../../../kit/budget.ts'
import { exchange, fullValue } from '../../../kit/sdk.ts'

const table = actionTable(alwaysEmptyActions)
/** Those that must be told of which thing, and then refuse. */
const OF_ONE = ['DescribeFleetInstances', 'DescribeSnapshotAttribute', 'DescribeSpotFleetInstances']
const listing = alwaysEmptyActions.map(({ name }) => name).filter((name) => !OF_ONE.includes(name))

function action(name: string) {
  return known(alwaysEmptyActions.find((one) => one.name === name))
}

describe.each(listing)('%s', (name) => {
  it('answers with every list that the SDK looks for, empty', async () => {
    await using cloud = await openCloud()
    const answer = await cloud.run(action(name))
    const lists = Object.entries(fullValue(name, 'output'))
      .filter(([, value]) => Array.isArray(value))
      .map(([list]) => [list, []])
    expect(answer).toEqual(Object.fromEntries(lists))
    const xml = await encodeAnswer(known(table.get(name)).wire, 'r-1', answer, newBudget())
    expect((await exchange(name, {}, xml)).output).toEqual(answer)
  })

  it('takes whatever else a client may say, but for an unknown filter and a page that it did not give', async () => {
    await using cloud = await openCloud()
    const input = Object.entries(fullValue(name, 'input')).filter(
      ([member]) => !/Ids?$|Names?$|Ips$|^(?:Filters?|DryRun|NextToken|MaxResults)$/.test(member),
    )
    await cloud.run(action(name), Object.fromEntries(input))
    expect(await cloud.refusal(action(name), { DryRun: true })).toBe('DryRunOperation')
    expect(await cloud.refusal(action(name), { NextToken: 'x' })).toBe('InvalidNextToken')
  })
})

it.each([
  ['DescribeMovingAddresses', { PublicIps: ['192.0.2.1'] }, 'InvalidAddress.NotFound'],
  ['DescribeAddressTransfers', { AllocationIds: ['eipalloc-1'] }, 'InvalidAllocationID.NotFound'],
  ['DescribeSnapshots', { SnapshotIds: ['snap-00000000'] }, 'InvalidSnapshot.NotFound'],
  ['DescribeFleets', { FleetIds: ['fleet-1'] }, 'InvalidFleetId.NotFound'],
  ['DescribeSnapshots', { Filters: [{ Name: 'x', Values: ['y'] }] }, 'InvalidParameterValue'],
  ['DescribeSnapshotAttribute', { SnapshotId: 'snap-1' }, 'InvalidSnapshot.NotFound'],
  ...OF_ONE.map((name): [string, object, string] => [name, {}, 'MissingParameter']),
  ['DescribeHosts', { Filter: [{ Name: 'x', Values: ['y'] }] }, 'InvalidParameterValue'],
])('%s of %j is refused with %s', async (name, input, code) => {
  await using cloud = await openCloud()
  expect(await cloud.refusal(action(name), input)).toBe(code)
})

it('is filtered by what EC2 documents, tags included, and by what it documents no list of', async () => {
  await using cloud = await openCloud()
  const filter = (Name: string) => [{ Name, Values: ['x'] }]
  for (const [name, filters] of [
    ['DescribeSnapshots', [...filter('owner-alias'), ...filter('tag:Name'), ...filter('tag-key')]],
    ['DescribeImportImageTasks', filter('task-state')],
  ] as const)
    expect(Object.values(await cloud.run(action(name), { Filters: filters }))).toEqual([[]])
})
