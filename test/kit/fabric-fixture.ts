/**
 * Six guests on three hosts, in security groups that span the hosts: for the lab tests of the
 * fabric.
 */
import type { HostWant, InstanceWant } from '../../src/model/want.ts'
import type { DropReason } from '../../src/plan/nft-text.ts'
import type { Netns } from '../../tools/kit/netns.ts'
import { createFabricTown, type FabricHost, type FabricTown } from './fabric-testbed.ts'
import { townInstance } from './testbed.ts'

/** Who lives on which host. */
export const HOMES = {
  alice: { at: 0, want: townInstance(11, [1]) },
  bob: { at: 0, want: townInstance(12, [1]) },
  carol: { at: 0, want: townInstance(13, [2]) },
  dave: { at: 1, want: townInstance(14, [1]) },
  erin: { at: 1, want: townInstance(15, [2]) },
  frank: { at: 2, want: townInstance(16, [1, 2]) },
} as const
export type Guest = keyof typeof HOMES
export const GUESTS = Object.keys(HOMES) as Guest[]

/** A guest's address. */
export function addressOf(name: Guest): string {
  const [nic] = HOMES[name].want.nics
  if (nic === undefined) throw new Error('an instance has a NIC')
  return nic.ip
}

export interface FabricWorld {
  readonly town: FabricTown
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
export async function createFabricWorld(mode: 'direct' | 'vxlan'): Promise<FabricWorld> {
  const town = await createFabricTown(mode, 3)
  const wantsWithout = (...gone: readonly Guest[]) => {
    const here = GUESTS.filter((name) => !gone.includes(name))
    const homes = town.hosts.map((_host, index): readonly InstanceWant[] =>
      here.flatMap((name) => (HOMES[name].at === index ? [HOMES[name].want] : [])),
    )
    return town.wants(homes)
  }
  const wants = wantsWithout()
  const guests = new Map<Guest, Netns>()
  const host = (index: number) => {
    const found = town.hosts[index]
    if (found === undefined) throw new Error(`there is no host ${index}`)
    return found
  }
  const world: FabricWorld = {
    town,
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
  for (const index of town.hosts.keys()) await world.pass(index)
  for (const name of GUESTS) guests.set(name, await host(HOMES[name].at).plug(HOMES[name].want))
  return world
}

/** Whether a ping is answered, within half a second. */
export async function reaches(
  from: Netns,
  to: string,
  ...flags: readonly string[]
): Promise<boolean> {
  return (await from.run(['ping', '-c1', '-W0.5', ...flags, to])).exitCode === 0
}
