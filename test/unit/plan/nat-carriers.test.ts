/** Which host carries a NAT gateway that has an address. */
import { expect, it } from 'vitest'
import { ipv4 } from '../../../src/model/addr.ts'
import type { HostName } from '../../../src/model/ids.ts'
import { chooseCarrier } from '../../../src/plan/nat-carriers.ts'
import { hostName, numbered } from '../../kit/records.ts'

const [A, B, C] = [hostName('a'), hostName('b'), hostName('c')]
const host = (name: HostName, changes: object = {}) => ({
  ...{ name, zone: 'z1', state: 'active' as const, live: true },
  ...changes,
})
const gateway = (carrier: HostName | null, number = 1) => ({
  id: numbered('nat', number),
  address: { nic: numbered('eni', number), ip: ipv4('198.51.100.7'), carrier },
})
const among = (hosts: readonly ReturnType<typeof host>[], members: readonly HostName[]) => ({
  ...{ hosts, members, zone: 'z1', zones: null },
})
const ALL = [host(A), host(B), host(C)]

it('is the one that carries it, as long as it can', () => {
  expect(chooseCarrier(gateway(B), among(ALL, [A, A, B]))).toBe(B)
  expect(chooseCarrier(gateway(C), among(ALL, [A, A, B]))).toBe(A)
  for (const change of [{ live: false }, { state: 'draining' }, { state: 'forgotten' }]) {
    const hosts = [host(A), host(B, change)]
    expect(chooseCarrier(gateway(B), among(hosts, [A, B]))).toBe(A)
  }
})

it('is one with instances of the VPC: the only one, else that with most', () => {
  expect(chooseCarrier(gateway(null), among(ALL, [C]))).toBe(C)
  expect(chooseCarrier(gateway(null), among(ALL, [A, B, B]))).toBe(B)
  expect(chooseCarrier(gateway(A), among(ALL, []))).toBeUndefined()
})

it('is in the zone of the gateway, if it can be, and in one of its pool', () => {
  const hosts = [host(A), host(B, { zone: 'z2' })]
  const members = [A, B, B]
  expect(chooseCarrier(gateway(null), among(hosts, members))).toBe(A)
  expect(chooseCarrier(gateway(null), among(hosts, [B]))).toBe(B)
  const inPool = { ...among(hosts, members), zones: ['z2'] }
  expect(chooseCarrier(gateway(A), inPool)).toBe(B)
  expect(chooseCarrier(gateway(null), { ...inPool, members: [A] })).toBeUndefined()
})

it('goes on while it drains and no other can, and is not begun with', () => {
  const hosts = [host(A, { state: 'draining' }), host(B, { live: false })]
  expect(chooseCarrier(gateway(A), among(hosts, [A, B]))).toBe(A)
  expect(chooseCarrier(gateway(B), among(hosts, [A, B]))).toBeUndefined()
  expect(chooseCarrier(gateway(null), among(hosts, [A, B]))).toBeUndefined()
})

it('is not the same for all gateways where hosts are alike, whatever their order', () => {
  const chosen = Array.from({ length: 64 }, (_, number) => {
    const first = chooseCarrier(gateway(null, number), among(ALL, [A, B, C]))
    expect(chooseCarrier(gateway(null, number), among(ALL.toReversed(), [C, B, A]))).toBe(first)
    return first
  })
  expect(new Set(chosen)).toEqual(new Set([A, B, C]))
})
