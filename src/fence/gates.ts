/**
 * The permission to speak, in each network namespace that has links of instances that are guarded:
 * the machine's own, and those of VPCs.
 */
import type { PermissionGate } from '../host/nftables/permission-gate.ts'
import { hasCode } from '../lib/errno.ts'
import type { Guarded } from '../model/guarded.ts'
import type { Gates } from './keeper.ts'

/** A network namespace: the number of a VPC; null: the machine's own. */
type Network = number | null

interface GateSetParts {
  /** Errors: there is no such namespace. */
  readonly open: (network: Network) => PermissionGate
  readonly trouble: (what: string, error: unknown) => void
}

/** The gates, opened when they are needed. */
export interface GateSet extends Gates {
  /** Replaces what is guarded. The gates are there when it resolves. Errors: one is not. */
  guard(guarded: readonly Guarded[]): Promise<void>
  close(): void
}

/** None is open yet. */
export function createGates({ open, trouble }: GateSetParts): GateSet {
  const gates = new Map<Network, PermissionGate>()
  let guarded: readonly Guarded[] = []
  let isRepairing = false

  async function make(network: Network): Promise<PermissionGate> {
    const gate = gates.get(network) ?? open(network)
    gates.set(network, gate)
    await gate.ensure()
    const links = guarded.flatMap((one) => one.links).filter((link) => link.network === network)
    gate.guard({
      links: links.map(({ name }) => name),
      // Floating IPs are answered for in the machine's own namespace.
      addresses: network === null ? guarded.flatMap((one) => one.addresses) : [],
    })
    return gate
  }

  /** Its links are not guarded any more, and nobody will renew its permission. */
  function release(gate: PermissionGate): void {
    try {
      gate.guard({ links: [], addresses: [] })
    } catch (error) {
      // The namespace, or its tables, are gone.
      if (!hasCode(error, 'ENOENT')) trouble('links that are not guarded may stay muted', error)
    }
    gate.close()
  }

  /** Somebody has removed tables: they are made again, closed. */
  function repair(network: Network): void {
    if (isRepairing) return
    isRepairing = true
    make(network)
      .then(() => trouble('the permission to speak was removed and is made again', null))
      .catch((error: unknown) => {
        // The namespace may be another one by now.
        gates.get(network)?.close()
        gates.delete(network)
        trouble('the permission to speak cannot be made', error)
      })
      .finally(() => {
        isRepairing = false
      })
  }

  return {
    arm(serial, ms) {
      for (const [network, gate] of gates)
        try {
          gate.arm(serial, ms)
        } catch (error) {
          if (hasCode(error, 'ENOENT')) repair(network)
          throw error
        }
    },
    promote(serial) {
      for (const gate of gates.values()) gate.promote(serial)
    },
    async guard(all) {
      guarded = all
      const wanted = new Set<Network>([
        null,
        ...all.flatMap(({ links }) => links.map(({ network }) => network)),
      ])
      for (const network of wanted) await make(network)
      for (const [network, gate] of gates)
        if (!wanted.has(network)) {
          release(gate)
          gates.delete(network)
        }
    },
    close() {
      for (const gate of gates.values()) gate.close()
    },
  }
}
