/**
 * Managed prefix lists: networks under one id, which rules of security groups may name. Pure.
 * https://docs.aws.amazon.com/vpc/latest/userguide/managed-prefix-lists.html
 */
import { parseNetwork } from './group-rule.ts'
import type { AccountId, PrefixListId } from './ids.ts'

/** What the networks of a list are. IPv6 networks allow nothing, because instances have no IPv6. */
export const ADDRESS_FAMILIES = ['IPv4', 'IPv6'] as const
export type AddressFamily = (typeof ADDRESS_FAMILIES)[number]

/** What was done last. Each change is complete at once. */
export const PREFIX_LIST_STATES = [
  'create-complete',
  'modify-complete',
  'restore-complete',
] as const

export interface PrefixList {
  readonly id: PrefixListId
  readonly account: AccountId
  /** Not unique, as in EC2. */
  readonly name: string
  readonly addressFamily: AddressFamily
  /** Most entries. A rule that names the list counts as this many rules. */
  readonly maxEntries: number
  /** From 1. It advances when the entries change, and with nothing else. */
  readonly version: number
  readonly state: (typeof PREFIX_LIST_STATES)[number]
}

/** A network of a list, and the versions that have it. */
export interface PrefixListEntry {
  readonly list: PrefixListId
  /** Its canonical text (`parseNetwork`). */
  readonly cidr: string
  /** Empty if none was given. */
  readonly description: string
  /** The first version that has it. */
  readonly addedIn: number
  /** The first version that no longer has it. Null: the current one has it. */
  readonly removedIn: number | null
}

/** EC2's limit of a list's entries. */
export const PREFIX_LIST_ENTRIES_MAX = 1000
/** How many versions of a list are kept, the current one included, as in EC2. */
export const PREFIX_LIST_VERSIONS_MAX = 1000
/** Longest name, and longest description of an entry. */
export const PREFIX_LIST_TEXT_MAX = 255

/** The address family of a network's canonical text. Undefined when it is none. */
export function familyOf(cidr: string): AddressFamily | undefined {
  const network = parseNetwork(cidr)
  if (network === undefined) return undefined
  return network.kind === 'ipv4' ? 'IPv4' : 'IPv6'
}
