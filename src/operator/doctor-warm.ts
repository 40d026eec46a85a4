/**
 * Check of `atoll doctor`: whether containers wait for launches, as the setting `warmInstances`
 * says. Changes nothing.
 */
import { z } from 'zod'
import type { Config } from '../config.ts'
import { readAdmin } from './admin-client.ts'
import { type CheckResult, ok, warn } from './doctor-check.ts'

/** The member of the daemon's status. Older daemons lack it. */
const reported = z.object({
  warm: z.array(
    z.object({
      image: z.string(),
      type: z.string(),
      count: z.number(),
      waiting: z.number(),
      problem: z.string().nullable(),
    }),
  ),
})
/** What the daemon says of its settings. */
export type ReportedWarm = z.output<typeof reported>['warm']

/** Reads the status of the daemon that runs here. */
export async function checkWarm({
  warmInstances,
  runtimeDir,
}: Pick<Config, 'warmInstances' | 'runtimeDir'>): Promise<CheckResult> {
  if (warmInstances.length === 0) return ok('none are asked for (warmInstances)')
  const answer = await readAdmin(runtimeDir, '/v1/status').catch(() => null)
  return judgeWarm(reported.safeParse(answer).data?.warm ?? null)
}

/** The result for these; null: no daemon answers here. */
export function judgeWarm(reports: ReportedWarm | null): CheckResult {
  if (reports === null) return ok('not known: atolld does not run here')
  const problems = reports.flatMap(({ problem }) => problem ?? [])
  if (problems.length > 0)
    return warn(
      `nothing can be kept waiting for launches: ${problems.join('; ')}`,
      'do what it says, or change the setting warmInstances and restart atolld',
    )
  const counts = reports.map(
    ({ image, type, count, waiting }) => `${waiting} of ${count} ${image} ${type}`,
  )
  return reports.some(({ waiting }) => waiting === 0)
    ? warn(
        `${counts.join(', ')} wait for launches`,
        'if that stays so, the log of atolld says why (step prepare); a host that drains has none',
      )
    : ok(`${counts.join(', ')} wait for launches`)
}
