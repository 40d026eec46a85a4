/**
 * Six guests on three hosts, in security groups that span the hosts: for the lab tests of the
 * fabric.
 */
import type { HostWant, InstanceWant } from '../../src/model/want.ts'
import type { DropReason } from '../../src/plan/nft-text.ts'
import type { Netns } from '../../tools/kit/netns.ts'
import { createFabricTestbed, type FabricHost, type FabricTestbed } from './fabric-testbed.ts'
import { testInstance } from './testbed.ts'

/** Which guest is on which host. */
export const GUEST_SPECS = {
  alice: { at: 0, want: testInstance(11, [1]) },
  bob: { at: 0, want: testInstance(12, [1]) },
  carol: { at: 0, want: testInstance(13, [2]) },
  dave: { at: 1, want: testInstance(14, [1]) },
  erin: { at: 1, want: testInstance(15, [2]) },
  frank: { at: 2, want: testInstance(16, [1, 2]) },
} as const
export type Guest = keyof typeof GUEST_SPECS
export const GUESTS = Object.keys(GUEST_SPECS) as Guest[]

/** A guest's address. */
export function addressOf(name: Guest): string {
  const [nic] = GUEST_SPECS[name].want.nics
  if (nic === undefined) throw new Error('an instance has a NIC')
  return nic.ip
}

export interface FabricFixture {
  readonly testbed: FabricTestbed
  /** What the records say, by host. */
  readonly wants: readonly HostWant[]
  guest(name: Guest): Netns
  host(index: number): FabricHost
  /** A pass of one host, over what the records say unless told otherwise. */
  pass(
    index: number,
    options?: { readonly want?: HostWant; readonly restart?: boolean },
  ): Promise<void>
  /** Packets that a host dropped for this reason while `act` ran. */
  dropsDuring(index: number, reason: DropReason, act: () => Promise<unknown>): Promise<number>
  /** What the records would say without some guests. */
  wantsWithout(...gone: readonly Guest[]): readonly HostWant[]
}

/** Three hosts with everybody plugged in. */
export async function createFabricFixture(mode: 'direct' | 'vxlan'): Promise<FabricFixture> {
  const testbed = await createFabricTestbed(mode, 3)
  const wantsWithout = (...gone: readonly Guest[]) => {
    const here = GUESTS.filter((name) => !gone.includes(name))
    const guestSpecs = testbed.hosts.map((_host, index): readonly InstanceWant[] =>
      here.flatMap((name) => (GUEST_SPECS[name].at === index ? [GUEST_SPECS[name].want] : [])),
    )
    return testbed.wants(guestSpecs)
  }
  const wants = wantsWithout()
  const guests = new Map<Guest, Netns>()
  const host = (index: number) => {
    const found = testbed.hosts[index]
    if (found === undefined) throw new Error(`there is no host ${index}`)
    return found
  }
  const fixture: FabricFixture = {
    testbed,
    wants,
    wantsWithout,
    host,
    guest: (name) => {
      const found = guests.get(name)
      if (found === undefined) throw new Error(`${name} is not plugged in`)
      return found
    },
    pass: async (index, { want = wants[index], restart = false } = {}) => {
      if (want === undefined) throw new Error(`no want for host ${index}`)
      await host(index).pass(want, { restart })
    },
    dropsDuring: async (index, reason, act) => {
      const before = await host(index).drops(reason)
      await act()
      return (await host(index).drops(reason)) - before
    },
  }
  for (const index of testbed.hosts.keys()) await fixture.pass(index)
  for (const name of GUESTS)
    guests.set(name, await host(GUEST_SPECS[name].at).plug(GUEST_SPECS[name].want))
  return fixture
}
