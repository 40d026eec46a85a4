/**
 * Ids of what has no record of its own because it follows from something that has: each VPC has one
 * route table, one internet gateway, one network ACL, one set of DHCP options; a group has its
 * rules. The same on every host and at any time. Pure.
 */
import { createHash } from 'node:crypto'
import { formatId, type IdPrefix } from '../model/ids.ts'

/** The id with the same digits and another prefix, for what its owner has one of. */
export function derivedId(prefix: string, owner: string): string {
  return `${prefix}-${owner.slice(owner.indexOf('-') + 1)}`
}

/** An id for one of several things that an owner has, told apart by `which`. */
export function derivedIdOf<P extends IdPrefix>(prefix: P, owner: string, which: string) {
  return formatId(prefix, createHash('sha256').update(`${prefix} ${owner} ${which}`).digest())
}
