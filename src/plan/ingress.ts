/**
 * Who may enter an instance by its security groups: one destination, one lookup, whatever the
 * number of instances. Pure.
 */
import type { Ipv4 } from '../model/addr.ts'
import type { GroupId } from '../model/ids.ts'
import type { HostWant, NicWant } from '../model/want.ts'
import { block, drop, PASS } from './nft-text.ts'

/**
 * The combination of groups that a destination is in leads to the chain that knows who may enter.
 */
export interface Doors {
  readonly groups: readonly { readonly name: string; readonly members: readonly Ipv4[] }[]
  readonly chains: readonly Door[]
  readonly elements: readonly string[]
}

interface Door {
  readonly name: string
  readonly groups: readonly string[]
  /** Addresses of NICs that are in this combination, as a set of this name. */
  readonly behind: { readonly name: string; readonly addresses: readonly Ipv4[] }
}

/** The doors of these NICs. */
export function planDoors(want: HostWant, nics: readonly NicWant[]): Doors {
  const members = new Map(want.shared.groups.map((group) => [group.id, group.members]))
  const combinationOf = (nic: NicWant) =>
    [...new Set(nic.groups.map((group) => group.id))].toSorted()
  const byKey = new Map(nics.map((nic) => [combinationOf(nic).join(), combinationOf(nic)]))
  // Numbered, because the names of all groups together can be longer than the kernel lets a chain's
  // name be.
  const keys = [...byKey.keys()].toSorted()
  const nameOf = new Map(keys.map((key, index) => [key, `door_${index}`]))
  const used = [...new Set([...byKey.values()].flat())].toSorted()
  return {
    groups: used.map((id) => ({ name: groupSetName(id), members: members.get(id) ?? [] })),
    chains: keys.map((key, index) => ({
      name: `door_${index}`,
      groups: (byKey.get(key) ?? []).map(groupSetName),
      behind: {
        name: `behind_door_${index}`,
        addresses: nics.filter((nic) => combinationOf(nic).join() === key).map(({ ip }) => ip),
      },
    })),
    elements: nics.map((nic) => `${nic.ip} : goto ${nameOf.get(combinationOf(nic).join())}`),
  }
}

function groupSetName(id: GroupId): string {
  return `members_${id.replaceAll('-', '_')}`
}

/**
 * To the door of the destination. The kernel empties a map of verdicts at the moment in which its
 * table is replaced, also for packets that are under the old rules still (7 of 1,678,000 at 500
 * replacements); of sets it does not. So what the map has missed is looked for once more, door by
 * door.
 */
export function toDoors({ chains }: Doors): readonly string[] {
  return [
    'ip daddr vmap @doors',
    ...chains.map(({ name, behind }) => `ip daddr @${behind.name} goto ${name}`),
  ]
}

/** Only sources that are members enter; that a source is who it says was proved in prerouting. */
export function doorChain(name: string, groups: readonly string[]): readonly string[] {
  return block(`chain ${name}`, [
    ...groups.map((group) => `ip saddr @${group} ${PASS}`),
    drop('group'),
  ])
}
