import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { bootstrap } from '../../../src/agent/bootstrap.ts'
import { cidr, cidrOverlaps, formatCidr } from '../../../src/model/addr.ts'
import { openSqliteStore } from '../../../src/store/engines/sqlite/dialect.ts'
import type { Store } from '../../../src/store/store.ts'
import { silentLog } from '../../../tools/kit/log.ts'

const settings = { vpc: cidr('10.9.0.0/24'), subnet: cidr('10.9.0.64/26'), zone: 'a' }
let store: Store

beforeEach(async () => {
  store = await openSqliteStore({ file: ':memory:', log: silentLog })
  await store.migrate()
})
afterEach(() => store.close())

const networks = () =>
  store.read(async (tx) => ({
    vpcs: await tx.vpcs({}),
    subnets: await tx.subnets({}),
    groups: await tx.groups({}),
  }))

it('makes a cloud once, and finds it the second time', async () => {
  const first = await bootstrap(store, settings, randomBytes)
  const second = await bootstrap(store, settings, randomBytes)
  expect(second).toEqual(first)
  expect(first?.id).toMatch(/^AKIA[A-Z2-7]{16}$/)
  expect(first?.secret).toHaveLength(40)
  const { vpcs, subnets, groups } = await networks()
  expect([vpcs.length, subnets.length, groups.length]).toEqual([1, 1, 1])
})

it('gives each zone a default subnet of its own, as long as the VPC has room', async () => {
  for (const zone of [...'abcdeb']) await bootstrap(store, { ...settings, zone }, randomBytes)
  const { vpcs, subnets, groups } = await networks()
  expect([vpcs.length, groups.length]).toEqual([1, 1])
  expect(subnets.map(({ zone }) => zone).toSorted()).toEqual([...'abcd'])
  const cidrs = subnets.map((subnet) => subnet.cidr)
  expect(cidrs.map(formatCidr)).toContain('10.9.0.64/26')
  for (const [index, one] of cidrs.entries())
    expect(cidrs.slice(index + 1).some((other) => cidrOverlaps(one, other))).toBe(false)
})

it('leaves a network alone that lies outside of the VPC', async () => {
  await bootstrap(store, settings, randomBytes)
  const elsewhere = { vpc: cidr('10.8.0.0/24'), subnet: cidr('10.8.0.0/26'), zone: 'b' }
  await bootstrap(store, elsewhere, randomBytes)
  const { vpcs, subnets } = await networks()
  expect(vpcs.map((vpc) => formatCidr(vpc.cidr))).toEqual(['10.9.0.0/24'])
  expect(subnets.map((subnet) => formatCidr(subnet.cidr)).toSorted()).toEqual([
    '10.9.0.0/26',
    '10.9.0.64/26',
  ])
})

it('of many first starts at once, in two zones, one makes each network', async () => {
  const zones = [...'abababab']
  const keys = await Promise.all(
    zones.map((zone) => bootstrap(store, { ...settings, zone }, randomBytes)),
  )
  expect(new Set(keys.map((key) => key?.id)).size).toBe(1)
  const { vpcs, subnets, groups } = await networks()
  expect([vpcs.length, subnets.length, groups.length]).toEqual([1, 2, 1])
})
