/**
 * A filter finds exactly the items that have its value. For each filter that EC2 documents, the
 * member that it is about is found in the answer by its name (or by `MEMBERS`), and the action is
 * asked by values that are there. `test/unit/api/filters.test.ts` has the filters whose member is
 * not in the answer.
 */
import type * as ec2 from '@aws-sdk/client-ec2'
import { beforeAll, describe, expect, it } from 'vitest'
import { alwaysEmptyActions } from '../../../src/api/actions/always-empty.ts'
import { DOCUMENTED_FILTERS } from '../../../src/api/generated/filters.ts'
import { ipv4 } from '../../../src/model/addr.ts'
import { actionNamed, makeWorld } from '../../kit/account-world.ts'
import { ALICE, type Cloud, openCloud } from '../../kit/api-cloud.ts'

/** Members that are not named as their filter is: a path below the item. */
const MEMBERS: Readonly<Record<string, string>> = {
  'tag-key': 'tags.key',
  'DescribeInstances availability-zone': 'placement.availability-zone',
  'DescribeInstances availability-zone-id': 'placement.availability-zone-id',
  'DescribeInstances block-device-mapping.attach-time': 'block-device-mapping.ebs.attach-time',
  'DescribeInstances block-device-mapping.delete-on-termination':
    'block-device-mapping.ebs.delete-on-termination',
  'DescribeInstances block-device-mapping.status': 'block-device-mapping.ebs.status',
  'DescribeInstances block-device-mapping.volume-id': 'block-device-mapping.ebs.volume-id',
  'DescribeInstances dns-name': 'public-dns-name',
  'DescribeInstances instance.group-id': 'security-group.group-id',
  'DescribeInstances instance.group-name': 'security-group.group-name',
  'DescribeInstances ip-address': 'public-ip-address',
  'DescribeInstances instance-state-code': 'state.code',
  'DescribeInstances instance-state-name': 'state.name',
  'DescribeInstances launch-index': 'ami-launch-index',
  'DescribeInstances monitoring-state': 'monitoring.state',
  'DescribeInstances network-interface.group-id': 'network-interface.group.group-id',
  'DescribeInstances network-interface.group-name': 'network-interface.group.group-name',
  'DescribeInstances placement-group-name': 'placement.group-name',
  'DescribeInstances reason': 'state-transition-reason',
  'DescribeInstances state-reason-code': 'state-reason.code',
  'DescribeInstances state-reason-message': 'state-reason.message',
  'DescribeInstances tenancy': 'placement.tenancy',
  'DescribeImages is-public': 'public',
  'DescribeImages manifest-location': 'image-location',
  'DescribeImages block-device-mapping.delete-on-termination':
    'block-device-mapping.ebs.delete-on-termination',
  'DescribeImages block-device-mapping.volume-size': 'block-device-mapping.ebs.volume-size',
  'DescribeImages block-device-mapping.volume-type': 'block-device-mapping.ebs.volume-type',
  'DescribeImages block-device-mapping.encrypted': 'block-device-mapping.ebs.encrypted',
  'DescribeInstanceStatus instance-state-code': 'instance-state.code',
  'DescribeInstanceStatus instance-state-name': 'instance-state.name',
  'DescribeInstanceStatus instance-status.reachability': 'instance-status.details.status',
  'DescribeInstanceStatus system-status.reachability': 'system-status.details.status',
  'DescribeNetworkInterfaces group-id': 'groups.group-id',
  'DescribeNetworkInterfaces addresses.primary': 'private-ip-addresses.primary',
  'DescribeNetworkInterfaces addresses.private-ip-address':
    'private-ip-addresses.private-ip-address',
}

const FILTER_SINGULAR = ['DescribeNatGateways', 'DescribeFlowLogs']
/** Actions that list something. */
const documented = Object.entries(DOCUMENTED_FILTERS).filter(
  ([name]) =>
    !alwaysEmptyActions.some((one) => one.name === name) && name !== 'GetSubnetCidrReservations',
)

let cloud: Cloud
beforeAll(async () => {
  const ranges = [{ first: ipv4('203.0.113.9'), last: ipv4('203.0.113.40') }]
  const pools = [{ name: 'public', ranges, zones: null }]
  cloud = await openCloud({ settings: { vpcPlace: 'own', pools } })
  const world = await makeWorld(cloud, ALICE, 'a')
  const Tags = [{ Key: 'Name', Value: 'x' }]
  const Resources = [world.instance, world.volume, world.vpc, world.nic]
  await cloud.run(actionNamed('CreateTags'), { Resources, Tags })
  return () => cloud[Symbol.asyncDispose]()
})

type Item = Readonly<Record<string, unknown>>

const flat = (name: string) => name.replaceAll(/[-_]/g, '').toLowerCase()

/** The values at a path of names, through lists. */
function valuesAt(value: unknown, path: readonly string[]): readonly unknown[] {
  if (Array.isArray(value)) return value.flatMap((one) => valuesAt(one, path))
  const [first, ...rest] = path
  if (first === undefined) return value === undefined || value === null ? [] : [value]
  if (typeof value !== 'object' || value === null) return []
  const wanted = flat(first)
  const found = Object.entries(value).filter(([name]) =>
    [wanted, `${wanted}s`, `${wanted}set`].includes(flat(name)),
  )
  return found.flatMap(([, one]) => valuesAt(one, rest))
}

const text = (value: unknown) => (value instanceof Date ? value.toISOString() : String(value))
const isScalar = (value: unknown) => typeof value !== 'object' || value instanceof Date

/** Values of one filter that are tried. */
const TRIED_MAX = 5
/** What a listing must name, and what lets it list all. */
const needed = (): Readonly<Record<string, object>> => ({
  DescribeInstanceStatus: { IncludeAllInstances: true },
  DescribeLaunchTemplateVersions: { Versions: ['$Latest'] },
  GetSecurityGroupsForVpc: { VpcId: cloud.vpc.id },
})

async function list(name: string, filters: object): Promise<readonly Item[]> {
  const answer = await cloud.run(actionNamed(name), { ...needed()[name], ...filters })
  const items: readonly Item[] = Object.values(answer).find(Array.isArray) ?? []
  if (name !== 'DescribeInstances') return items
  // Filters of an instance may be about its reservation.
  return (items as readonly ec2.Reservation[]).flatMap(({ Instances = [], ...reservation }) =>
    Instances.map((instance) => ({ ...reservation, ...instance })),
  )
}

const tried: string[] = []
describe('a filter', () => {
  it.each(documented)('of %s finds what has its value, and nothing else', async (name, filters) => {
    const all = await list(name, {})
    const member = FILTER_SINGULAR.includes(name) ? 'Filter' : 'Filters'
    for (const filter of filters) {
      const path = (MEMBERS[`${name} ${filter}`] ?? MEMBERS[filter] ?? filter).split('.')
      const values = all.flatMap((item) => valuesAt(item, path).filter(isScalar).map(text))
      const some = [...new Set(values)].filter((value) => value !== '').slice(0, TRIED_MAX)
      for (const value of some) {
        const found = await list(name, { [member]: [{ Name: filter, Values: [value] }] })
        const has = (item: Item) => valuesAt(item, path).map(text).includes(value)
        expect(found, `${filter}=${value}`).toEqual(all.filter(has))
        tried.push(`${name} ${filter}`)
      }
    }
  })

  it('is mostly about a member of the answer', () => {
    expect(new Set(tried).size).toBeGreaterThan(250)
  })
})
