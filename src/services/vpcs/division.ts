/** Divides each want by network namespaces (`plan/vpc-wants.ts`), and notices what has changed. */
import { isDeepStrictEqual } from 'node:util'
import type { NatSettings } from '../../model/nat.ts'
import type { HostWant } from '../../model/want.ts'
import { withNatShares } from '../../plan/nat-shares.ts'
import { withStandIns } from '../../plan/stand-ins.ts'
import { type VpcWants, wantsByVpc } from '../../plan/vpc-wants.ts'

/**
 * Divides wants, and shares out the ports of a host that hands out this much memory. A part that
 * has not changed is the same object.
 */
export function createDivision(
  instanceMemoryMiB: number,
  nat: NatSettings,
): (want: HostWant) => VpcWants {
  let last: { readonly want: HostWant; readonly parts: VpcWants } | null = null
  return (want) => {
    if (last?.want === want) return last.parts
    const before = last?.parts
    const shared = withNatShares(wantsByVpc(want), want, instanceMemoryMiB)
    const fresh = withStandIns(shared, want, nat)
    const same = <T>(was: T | undefined, is: T): T =>
      isDeepStrictEqual(was, is) ? (was ?? is) : is
    const parts: VpcWants = {
      own: same(before?.own, fresh.own),
      vpcs: new Map(
        [...fresh.vpcs].map(([network, part]) => [network, same(before?.vpcs.get(network), part)]),
      ),
    }
    last = { want, parts }
    return parts
  }
}
