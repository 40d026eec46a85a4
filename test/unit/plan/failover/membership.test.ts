/** Whose answers count, and how that changes. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  isMajority,
  joinedBy,
  leftBy,
  mayFollow,
} from '../../../../src/plan/failover/membership.ts'
import { hostName } from '../../../kit/records.ts'

const HOSTS = ['a', 'b', 'c', 'd', 'e', 'f'].map(hostName)
const membership = (count: number, version = 1) => ({ version, members: HOSTS.slice(0, count) })
const first = (count: number) => new Set(HOSTS.slice(0, count))

it('is more than half of the members, and nobody else counts', () => {
  expect(isMajority(membership(3), first(2))).toBe(true)
  expect(isMajority(membership(3), first(1))).toBe(false)
  expect(isMajority(membership(4), first(2))).toBe(false)
  expect(isMajority(membership(2), new Set(HOSTS.slice(1)))).toBe(false)
  expect(isMajority(membership(0), first(6))).toBe(false)
})

it('changes by one member, when a majority knows the current members', () => {
  const current = membership(3)
  expect(mayFollow(current, first(2), membership(4, 2))).toBe(true)
  expect(mayFollow(current, first(2), membership(2, 2))).toBe(true)
  expect(mayFollow(current, first(1), membership(4, 2))).toBe(false)
  expect(mayFollow(current, first(3), membership(5, 2))).toBe(false)
  expect(mayFollow(current, first(3), membership(3, 2))).toBe(false)
  expect(mayFollow(current, first(3), membership(4, 3))).toBe(false)
  expect(mayFollow(membership(1), first(1), membership(0, 2))).toBe(false)
  const twice = { version: 2, members: [...current.members, ...HOSTS.slice(0, 1)] }
  expect(mayFollow(current, first(3), twice)).toBe(false)
})

it('has a member in common with every majority of the next membership', () => {
  const hosts = fc.uniqueArray(fc.constantFrom(...HOSTS))
  fc.assert(
    fc.property(hosts, hosts, hosts, hosts, (before, after, some, others) => {
      const current = { version: 1, members: before }
      const next = { version: 2, members: after }
      fc.pre(mayFollow(current, new Set(before), next))
      fc.pre(isMajority(current, new Set(some)) && isMajority(next, new Set(others)))
      const shared = some.filter((one) => others.includes(one))
      expect(shared.some((one) => before.includes(one) && after.includes(one))).toBe(true)
    }),
  )
})

it('is followed by one with another host, and by one without it', () => {
  const [a, b, c] = [HOSTS.slice(0, 1), HOSTS.slice(1, 2), HOSTS.slice(2, 3)].flat()
  if (a === undefined || b === undefined || c === undefined) throw new Error('three')
  const current = { version: 4, members: [a, b] }
  expect(joinedBy(current, c)).toEqual({ version: 5, members: [a, b, c] })
  expect(leftBy(current, a)).toEqual({ version: 5, members: [b] })
  for (const next of [joinedBy(current, c), leftBy(current, a)])
    expect(mayFollow(current, new Set([a, b]), next)).toBe(true)
})
