/**
 * Ends the connections that a withdrawn permission or a route had let begin; all others go on.
 *
 * The rules accept what belongs to an established connection without looking at groups and routes.
 * So after rules are loaded that permit less, the kernel's table of connections is gone through
 * once, and what could not begin any more is removed from it. A fresh daemon does not know what was
 * withdrawn just before it began, so it does the same after its first load, also for floating IPs
 * that had led elsewhere. So does one whose rules somebody has altered: without them, what other
 * hosts send to a NAT gateway begins connections that nothing translates.
 */
import type { NamespaceHost as Host } from '../../host/host.ts'
import type { TrackedFlow } from '../../model/flow.ts'
import type { HostRouting } from '../../model/host-routing.ts'
import type { HostWant } from '../../model/want.ts'
import { isOfOldBinding, translationOf } from '../../plan/floating.ts'
import { isPermitted, isWithdrawn, type Permissions, permissionsOf } from '../../plan/permits.ts'
import { isLedAway, isRerouted, isRouted, type Ways, waysOf } from '../../plan/route-rules.ts'
import { isLetThrough, routerPermissions } from '../../plan/router-routes.ts'

/** What the rules in force say. */
interface Enforced {
  readonly want: HostWant
  readonly permissions: Permissions
  readonly ways: Ways
}

/** What is in force now. */
interface NowInForce {
  readonly want: HostWant
  /** What the rules were made with. */
  readonly routing: HostRouting
  /** Whether somebody had altered the rules of before. */
  readonly isAltered: boolean
}

/** What became of the connections of a namespace. */
interface Ended {
  readonly ended: number
  /** Whether all were gone through. */
  readonly isWalked: boolean
}

/**
 * A function that is called with each want whose rules are in force, and ends what they do not
 * permit any more. Where it goes through all connections, `see` is called with each. Errors:
 * `unavailable`; then the next call ends them.
 */
export function createFlowEnding(
  host: Pick<Host, 'endFlows'>,
): (now: NowInForce, see: (flow: TrackedFlow) => void) => Promise<Ended> {
  let enforced: Enforced | null = null
  /** Whether anything may have begun. It stays so until all connections were gone through. */
  let isUnknown = true
  return async ({ want, routing, isAltered }, see) => {
    const before = enforced
    isUnknown ||= isAltered
    if (before?.want === want && !isUnknown) return { ended: 0, isWalked: false }
    const permissions = permissionsOf(want)
    const ways = waysOf(want)
    let ended = 0
    const isWalked =
      isUnknown ||
      before === null ||
      isWithdrawn(before.permissions, permissions) ||
      isRerouted(before.ways, ways)
    if (isWalked) {
      // Until all are ended, what was withdrawn counts as not yet done.
      enforced = null
      const ofRouters = routerPermissions(want, permissions)
      const translation = isUnknown ? translationOf(want, routing) : null
      ended = await host.endFlows((flow) => {
        see(flow)
        return (
          !isPermitted(flow, permissions) ||
          !isRouted(flow, ways) ||
          !isLetThrough(flow, ofRouters) ||
          (before !== null && isLedAway(flow, before.ways, ways)) ||
          (translation !== null && isOfOldBinding(flow, translation))
        )
      })
    }
    enforced = { want, permissions, ways }
    isUnknown = false
    return { ended, isWalked }
  }
}
