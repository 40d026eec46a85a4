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
import type { Ipv4 } from '../../model/addr.ts'
import { unavailable } from '../../model/errors.ts'
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

/** What ends connections of a namespace. */
interface FlowEnding {
  /**
   * To be called with each want whose rules are in force: ends what they do not permit any more.
   * Where it goes through all connections, `see` is called with each. Errors: `unavailable`; then
   * the next call ends them.
   */
  follow(now: NowInForce, see: (flow: TrackedFlow) => void): Promise<Ended>
  /**
   * Ends what the rules in force do not permit, for connections that were made beside them. Errors:
   * `unavailable`, also when the rules of these addresses are not in force.
   */
  judge(addresses: readonly Ipv4[]): Promise<void>
}

/** Nothing is in force at first. */
export function createFlowEnding(host: Pick<Host, 'endFlows'>): FlowEnding {
  let enforced: Enforced | null = null
  /** Whether anything may have begun. It stays so until all connections were gone through. */
  let isUnknown = true
  let following: Promise<unknown> = Promise.resolve()

  async function follow(
    { want, routing, isAltered }: NowInForce,
    see: (flow: TrackedFlow) => void,
  ): Promise<Ended> {
    const before = enforced
    isUnknown ||= isAltered
    if (before?.want === want && !isUnknown) return { ended: 0, isWalked: false }
    const now = { want, permissions: permissionsOf(want), ways: waysOf(want) }
    let ended = 0
    const isWalked =
      isUnknown ||
      before === null ||
      isWithdrawn(before.permissions, now.permissions) ||
      isRerouted(before.ways, now.ways)
    if (isWalked) {
      // Until all are ended, what was withdrawn counts as not yet done.
      enforced = null
      const isForbidden = judgementBy(now)
      const translation = isUnknown ? translationOf(want, routing) : null
      ended = await host.endFlows((flow) => {
        see(flow)
        return (
          isForbidden(flow) ||
          (before !== null && isLedAway(flow, before.ways, now.ways)) ||
          (translation !== null && isOfOldBinding(flow, translation))
        )
      })
    }
    enforced = now
    isUnknown = false
    return { ended, isWalked }
  }

  return {
    async follow(now, see) {
      const done = follow(now, see)
      following = done.catch(() => undefined)
      return await done
    },
    async judge(addresses) {
      // What goes through the connections may have begun before these were made.
      await following
      const now = enforced
      if (now === null || !addresses.every((ip) => now.permissions.nics.has(ip)))
        throw unavailable('the rules of these addresses are not in force')
      await host.endFlows(judgementBy(now))
    },
  }
}

/** Whether the rules let a flow begin no more. */
function judgementBy({ want, permissions, ways }: Enforced): (flow: TrackedFlow) => boolean {
  const ofRouters = routerPermissions(want, permissions)
  return (flow) =>
    !isPermitted(flow, permissions) || !isRouted(flow, ways) || !isLetThrough(flow, ofRouters)
}
