/**
 * All drills, in the order in which `scripts/drill all` runs them, and the lab that they run in.
 */
import { canRunMachines, tinyGuest } from '../kit/tiny-guest.ts'
import { galeraState } from '../lab/engines.ts'
import { createLab, type Lab } from '../lab/lab.ts'
import { untilReady } from '../lab/ready.ts'
import { agentKill, clockJump, diskFull, dockerdRestart } from './daemons.ts'
import type { Drill, Progress } from './drill.ts'
import { busAllLoss, busNodeLoss, dbAllLoss, dbNodeLoss } from './engines.ts'
import { apiHostLoss, coldBoot, fullOutage, hostCut, hostLoss } from './hosts.ts'
import { shareImage } from './images.ts'
import { repairLab } from './lab-health.ts'
import { evacuateLoad, moveSourceKilled, moveTargetKilled } from './moves.ts'
import {
  fabricCut,
  freezeDaemon,
  freezeFence,
  freezeHost,
  recoverHostLoss,
  recoverMany,
  storeCut,
} from './recover.ts'
import { diskHung, rollingCuts, storeGone, storeOfMinority, unkillable } from './recover-faults.ts'

export const drills: readonly Drill[] = [
  hostLoss,
  apiHostLoss,
  agentKill,
  dockerdRestart,
  dbNodeLoss,
  dbAllLoss,
  busNodeLoss,
  busAllLoss,
  hostCut,
  coldBoot,
  fullOutage,
  diskFull,
  clockJump,
  recoverHostLoss,
  recoverMany,
  fabricCut,
  storeCut,
  storeGone,
  storeOfMinority,
  diskHung,
  unkillable,
  rollingCuts,
  freezeDaemon,
  freezeFence,
  freezeHost,
  evacuateLoad,
  moveSourceKilled,
  moveTargetKilled,
]

export const DRILL_LAB = 'drill'
const HOSTS = 3
const SAMPLE = 'atoll-sample:static'
/** Space for the engines and Docker, and small enough to be filled quickly. */
const DISK_MIB = 2048

/**
 * The lab of the drills, healthy. Creates it if it does not exist, and repairs it if an interrupted
 * drill has left it broken.
 */
export async function drillLab(
  progress: Progress,
  name = DRILL_LAB,
  config: Readonly<Record<string, object>> = {},
): Promise<Lab> {
  // A drill moves into the lab's network, which reaches no mirror. So downloads come first.
  if (canRunMachines()) await tinyGuest()
  const lab = await createLab({ name, hosts: HOSTS, diskMiB: DISK_MIB, progress, config })
  await repairLab(lab)
  // A node that was voted out stays out until it is restarted. The drill in which this happened
  // has reported it.
  for (const host of lab.hosts)
    if (host.hasEngines && (await galeraState(host))?.state === 'Inconsistent')
      await host.service('mariadb').crash()
  await untilReady(lab, { progress })
  await shareImage(lab, SAMPLE)
  return lab
}
