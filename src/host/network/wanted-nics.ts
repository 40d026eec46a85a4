/** What the want says of the links of NICs. Pure. */

import type { DriverDeclaration, LinkType } from '../../model/driver.ts'
import type { LooseNic } from '../../model/loose-nic.ts'
import { nicLinkName } from '../../model/names.ts'
import { type Fact, type HostWant, type InstanceWant, plugName } from '../../model/want.ts'
import type { NicSpec, NicState } from '../host.ts'
import { nicSpec } from './nic.ts'

/** A NIC, and whether its instance is being terminated. */
export interface WantedNic {
  readonly spec: NicSpec
  /** As `plugName`. */
  readonly plug: string
  readonly ending: boolean
  /** What is told of it when it leads into no instance. */
  readonly loose: LooseNic
}

/**
 * Links of instances whose driver only another version of the daemon knows. They are left alone.
 */
export function linksOfOthers(
  want: HostWant,
  drivers: readonly DriverDeclaration[],
): ReadonlySet<string> {
  const others = want.local.instances.filter((one) =>
    drivers.every(({ name }) => name !== one.driver),
  )
  return new Set(
    others.flatMap(({ nics, detaching = [] }) =>
      [...nics, ...detaching].map(({ id }) => nicLinkName(id)),
    ),
  )
}

/** NICs that are to be taken off instances, by link, and what to report when they are. */
export type DetachingNics = ReadonlyMap<
  string,
  { readonly linkType: LinkType; readonly fact: Fact }
>

/** Whether a machine has the tap. One that loses it reads in vain without end. */
export function isHeld({ hostLink, carrier }: NicState, detaching: DetachingNics): boolean {
  return carrier && detaching.get(hostLink)?.linkType === 'tap'
}

/** Whether the link was made for another attachment of the NIC. */
export function isOfOtherAttachment({ attachment }: NicSpec, state: NicState | undefined): boolean {
  const before = state?.attachment
  return before !== undefined && attachment !== undefined && before !== attachment
}

/** What to report of those without a link. */
export function goneFacts(
  detaching: DetachingNics,
  links: ReadonlyMap<string, unknown>,
): readonly Fact[] {
  return [...detaching].flatMap(([link, { fact }]) => (links.has(link) ? [] : fact))
}

/** Those of the want. */
export function detachingNics(
  want: HostWant,
  drivers: readonly DriverDeclaration[],
): DetachingNics {
  const linkTypes = new Map(drivers.map(({ name, linkType }) => [name, linkType]))
  return new Map(
    want.local.instances.flatMap(({ id: from, driver, detaching = [] }) => {
      const linkType = linkTypes.get(driver)
      if (linkType === undefined) return []
      return detaching.map(({ id: nic, attachment }) => {
        const fact: Fact = { kind: 'detached', nic, attachment, from }
        return [nicLinkName(nic), { linkType, fact }]
      })
    }),
  )
}

/** The NICs that the host should have. */
export function wantedNics(
  want: HostWant,
  mtu: number,
  drivers: readonly DriverDeclaration[],
): readonly WantedNic[] {
  const linkTypes = new Map(drivers.map(({ name, linkType }) => [name, linkType]))
  const wantedOf =
    (more: Pick<NicSpec, 'isArriving'>) =>
    ({ id, driver, run, nics }: InstanceWant): readonly WantedNic[] => {
      const linkType = linkTypes.get(driver)
      if (linkType === undefined) return []
      return nics.map((nic) => ({
        spec: { ...nicSpec(nic, mtu, linkType), ...more },
        plug: plugName(nic),
        ending: run === 'terminate',
        loose: { instance: id, driver, nic },
      }))
    }
  return [
    ...want.local.instances.flatMap(wantedOf({})),
    ...(want.local.arriving ?? []).flatMap(wantedOf({ isArriving: true })),
  ]
}
