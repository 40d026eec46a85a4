/**
 * Room that placement leaves free for instances that others start again. An instance is put on a
 * host only if, for each host that may be lost, as many of its instances as before would find room
 * on the others. Pure.
 */
import type { HostName } from '../../model/ids.ts'
import type { Host } from '../../model/records.ts'
import { afterTaking, fitsBeside } from '../placement.ts'
import { type Homes, homesOf, type Need, type Recoverable } from './spare.ts'

/** What would become of the instances of one host. */
interface Loss {
  readonly needs: readonly Need[]
  readonly homes: Homes
}

/** What is free on hosts, and what the loss of each would need of it. */
export interface Reserve {
  readonly hosts: readonly Host[]
  readonly losses: ReadonlyMap<HostName, Loss>
}

/** An instance that is to be put on a host. */
interface Placing extends Recoverable {
  /** Whether others start it again. */
  readonly recovers: boolean
}

/** All hosts, and all instances that others may start again: also those of hosts that are lost. */
export function reserveOf(hosts: readonly Host[], recoverable: readonly Recoverable[]): Reserve {
  const losses = new Map<HostName, Loss>()
  for (const [lost, some] of Map.groupBy(recoverable, ({ host }) => host)) {
    losses.set(lost, { needs: some, homes: homesOf(hosts, lost, some) })
  }
  return { hosts, losses }
}

/** After this. Null: fewer than before would find room if some host were lost. */
export function afterPlacing(
  reserve: Reserve,
  { host: name, demand, storage, recovers }: Placing,
): Reserve | null {
  const before = reserve.hosts.find((host) => host.name === name)
  const hosts = afterTaking(reserve.hosts, name, demand)
  const losses = new Map(reserve.losses)
  for (const [lost, { needs, homes }] of reserve.losses) {
    if (lost === name) continue
    // Then each finds its room where it did: what is left there after all of them was not used.
    const used = homes.used.get(name)
    if (before !== undefined && fitsBeside(before, demand, used)) continue
    const now = homesOf(hosts, lost, needs)
    if (now.homeless > homes.homeless) return null
    losses.set(lost, { needs, homes: now })
  }
  if (!recovers) return { hosts, losses }
  const own = losses.get(name)
  const needs = [...(own?.needs ?? []), { demand, storage }]
  const homes = homesOf(hosts, name, needs)
  if (homes.homeless > (own?.homes.homeless ?? 0)) return null
  return { hosts, losses: losses.set(name, { needs, homes }) }
}
