/** Versions of daemons, as their hosts' rows have them. Pure. */
import type { HostName } from './ids.ts'
import type { Host } from './records.ts'

/** Parts of a version, the most significant first. */
export type Version = readonly number[]

/**
 * Whether all hosts have at least this version, so that they understand what it began with. `self`
 * counts as what it is now, not as what its row still says.
 */
export function areAllOf(
  least: Version,
  hosts: readonly Pick<Host, 'name' | 'state' | 'version'>[],
  self: HostName,
): boolean {
  return olderThan(least, hosts, self).length === 0
}

/** The hosts that have an older version than this one; `self` as in `areAllOf`. */
export function olderThan(
  least: Version,
  hosts: readonly Pick<Host, 'name' | 'state' | 'version'>[],
  self: HostName,
): readonly HostName[] {
  return hosts.flatMap(({ name, state, version }) =>
    name === self || state === 'forgotten' || isAtLeast(version, least) ? [] : name,
  )
}

function isAtLeast(version: string, least: Version): boolean {
  const parts = version.split('.').map(Number)
  for (const [index, wanted] of least.entries()) {
    const part = parts[index] ?? 0
    if (part !== wanted) return part > wanted
  }
  return true
}
