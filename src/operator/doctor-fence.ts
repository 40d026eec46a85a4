/**
 * Check of `atoll doctor`: how surely this host stops instances that other hosts may start again,
 * and whether enough hosts can say so. Changes nothing.
 */
import { z } from 'zod'
import type { Config } from '../config.ts'
import { FENCE_LEVELS, type FenceLevel, isAtLeast } from '../model/fence-levels.ts'
import { readAdmin } from './admin-client.ts'
import { type CheckResult, ok, warn } from './doctor-check.ts'

/** What is needed of the rows of `atoll hosts`. Older daemons lack the last. */
const reported = z.array(
  z.object({
    name: z.string(),
    fenceLevel: z.enum(FENCE_LEVELS).nullable().catch(null),
    failoverMember: z.boolean().default(false),
  }),
)
/** A host of the cloud. */
type ReportedHost = z.output<typeof reported>[number]

/** With fewer members, no majority is left when one is lost. */
const ENOUGH_MEMBERS = 3

const MEANING: Readonly<Record<FenceLevel, string>> = {
  none: 'nothing stops them',
  muted:
    'the kernel drops their packets and a process of the daemon ends them; if that process is killed with the daemon, what they write to shared storage is not stopped',
  softdog:
    'the kernel drops their packets, a process ends them, and a timer of the kernel resets this machine if it cannot; a kernel that hangs stops that timer, too',
  watchdog:
    'the kernel drops their packets, a process ends them, and a device resets this machine if it cannot',
}

/** What to do about too few members, in words; null: they are enough, or there are none. */
export function membersAdvice(members: readonly { readonly name: string }[]): string | null {
  const names = members.map(({ name }) => name).join(' and ')
  if (members.length === 0 || members.length >= ENOUGH_MEMBERS) return null
  const what =
    members.length === 1
      ? `only ${names} has fence.enabled, so no other host starts its instances with the tag atoll:recover again`
      : `only ${names} have fence.enabled: when one of them is lost, the other may not go on with instances with the tag atoll:recover, because it cannot know which of the two is cut off`
  return `${what}. Set fence.enabled on ${members.length === 1 ? 'two more hosts' : 'a third host'}; it only has to answer (a witness), and need not run instances`
}

/** Reads the hosts from the daemon that runs here. */
export async function checkFence({
  fence,
  host,
  runtimeDir,
}: Pick<Config, 'fence' | 'host' | 'runtimeDir'>): Promise<CheckResult> {
  const answer = await readAdmin(runtimeDir, '/v1/hosts').catch(() => null)
  return judgeFence(fence, host.name, reported.safeParse(answer).data ?? null)
}

/** The result for these hosts; null: no daemon answers here. */
export function judgeFence(
  { enabled, level: wanted }: Pick<Config['fence'], 'enabled' | 'level'>,
  self: string,
  hosts: readonly ReportedHost[] | null,
): CheckResult {
  const members = hosts?.filter(({ failoverMember }) => failoverMember) ?? []
  if (!enabled)
    return members.some(({ name }) => name === self)
      ? warn(
          'off (fence.enabled), but this host still counts as one that the others ask: as if it were lost',
          `set fence.enabled; or, to take it out, stop atolld here and run atoll forget ${self} on another host, which ends its instances`,
        )
      : ok('off (fence.enabled): this host runs no instances with the tag atoll:recover')
  if (hosts === null) return ok('not known: atolld is not running here')
  const level = hosts.find(({ name }) => name === self)?.fenceLevel ?? null
  if (level === null || !isAtLeast(level, wanted))
    return warn(
      'this host may not run instances with the tag atoll:recover now: most of the hosts with fence.enabled have not permitted it, or its level is below fence.level',
      'atoll hosts shows which hosts are lost; open UDP port fence.port between the fabric addresses; the log of atolld says more (journalctl -u atolld). After a start it takes half a minute',
    )
  const advice = membersAdvice(members)
  const found = `${level}: when this host may not go on with instances with the tag atoll:recover, ${MEANING[level]}`
  return advice === null ? ok(found) : warn(found, advice)
}
