/**
 * What the drills of instances that survive their host (`atoll:recover`) have in common: containers
 * that speak to a witness outside. Whatever happens, none may ever run twice.
 */
import { z } from 'zod'
import type { LabHost } from '../lab/host.ts'
import type { Lab } from '../lab/lab.ts'
import { until } from '../lab/run.ts'
import { clusterGroup, launch } from './api.ts'
import type { DrillContext } from './drill.ts'
import { beaconImage, openWitness, type Run, type Witness } from './witness.ts'

const CONFIG = '/etc/atoll/atoll.yaml'
/** Of the rules by which a drill drops packets. */
const DRILL_TABLE = 'drill'
const RECOVER = [{ Key: 'atoll:recover', Value: 'discard-disk' }]
const INSTANCES = 3
const PATIENCE_MS = 120_000
/** From the loss of a host to the answer from another one. */
const TAKEN_MS = 19_000
/** An instance that said nothing for so long does not speak. */
const SILENT_MS = 1_000
const LOOK_MS = 100

const hostsSchema = z.array(
  z.object({
    status: z.string(),
    failoverMember: z.boolean(),
    fenceLevel: z.string().nullable(),
  }),
)

/** Waits until all hosts may run what others may start again. */
export async function untilAllMayRun(lab: Lab): Promise<void> {
  await until('all hosts have permission', PATIENCE_MS, async () => {
    for (const host of lab.hosts) {
      const { exitCode, stdout } = await host.exec(['atoll', 'hosts', '--json'])
      if (exitCode !== 0) continue
      const all = hostsSchema.parse(JSON.parse(stdout))
      const may = all.filter(
        ({ status, failoverMember, fenceLevel }) =>
          status === 'active' && failoverMember && fenceLevel !== null,
      )
      return may.length === lab.hosts.length ? true : null
    }
    return null
  })
}

/** Sets `fence.enabled` on all hosts, or removes it, and starts their daemons anew. */
async function setFence(lab: Lab, isEnabled: boolean): Promise<void> {
  const remove = `sed -i '/^fence:/,/^  /d' ${CONFIG}`
  const add = `printf 'fence:\\n  enabled: true\\n' >>${CONFIG}`
  for (const host of lab.hosts) {
    await host.must(['sh', '-c', isEnabled ? `${remove}; ${add}` : remove])
    await host.service('atolld').crash()
  }
}

/** The instances that speak, of which the first decides which host is the victim. */
export interface Speakers {
  readonly ids: readonly string[]
  readonly witness: Witness
  /** Their newest runs. Throws when one has never spoken. */
  newest(): ReadonlyMap<string, Run>
}

/**
 * Does `work` with instances that speak and may be taken over, `together` on one host if it has the
 * room. Fails if one ever ran twice.
 */
export async function withSpeakers(
  context: DrillContext,
  work: (speakers: Speakers) => Promise<void>,
  { count = INSTANCES, together = false }: { count?: number; together?: boolean } = {},
): Promise<void> {
  const { lab, list, progress } = context
  const witness = await openWitness()
  try {
    const image = await beaconImage(lab, list)
    const ids = await launch(list, image, count, `speak-${Date.now()}`, {
      tags: RECOVER,
      ...(together ? { placementGroup: await clusterGroup(list, 'speakers') } : {}),
    })
    await until('they speak', PATIENCE_MS, async () =>
      ids.every((id) => witness.runs(id).length > 0) ? true : null,
    )
    await untilAcknowledged(lab, ids)
    progress(`${ids.length} containers with the tag atoll:recover speak to a witness`)
    const newest = () =>
      new Map(
        ids.map((id) => {
          const run = witness.runs(id).at(-1)
          if (run === undefined) throw new Error(`${id} has never spoken`)
          return [id, run]
        }),
      )
    await work({ ids, witness, newest })
    const overlaps = witness.overlaps()
    if (overlaps.length > 0) throw new Error(overlaps.join('; '))
  } finally {
    witness.close()
  }
}

/** Their hosts have said that others may start them. */
async function untilAcknowledged(lab: Lab, ids: readonly string[]): Promise<void> {
  const which = ids.map((id) => `'${id}'`).join(',')
  const sql = `SELECT COUNT(*) FROM atoll.instances WHERE recoverAcknowledged = 'recover' AND id IN (${which})`
  await until('they may be taken over', PATIENCE_MS, async () => {
    for (const host of lab.hosts) {
      const { exitCode, stdout } = await host.exec(['mariadb', '-N', '-e', sql])
      if (exitCode === 0) return Number(stdout) === ids.length ? true : null
    }
    return null
  })
}

/** The host of the first speaker, and which of them are there. */
export function victimOf(
  lab: Lab,
  { ids, newest }: Speakers,
): { readonly host: LabHost; readonly there: readonly string[] } {
  const runs = newest()
  const from = runs.get(ids[0] ?? '')?.from
  const index = lab.layout.hosts.findIndex(({ outsideAddress }) => outsideAddress === from)
  const host = lab.hosts[index]
  if (host === undefined) throw new Error(`no host has the address ${from}`)
  return { host, there: ids.filter((id) => runs.get(id)?.from === from) }
}

/** Waits until these speak from another host, and says how long that took from `lostAt`. */
export async function untilElsewhere(
  { figure }: DrillContext,
  { witness, newest }: Speakers,
  there: readonly string[],
  lostAt: number,
): Promise<void> {
  const before = newest()
  const next = (id: string) => {
    const run = witness.runs(id).at(-1)
    return run === undefined || run.from === before.get(id)?.from ? null : run
  }
  await until(
    'they speak from another host',
    PATIENCE_MS,
    async () => (there.every((id) => next(id) !== null) ? true : null),
    LOOK_MS,
  )
  const runs = there.flatMap((id) => next(id) ?? [])
  const last = Math.max(...there.map((id) => before.get(id)?.lastAt ?? lostAt))
  const first = Math.min(...runs.map(({ firstAt }) => firstAt))
  const all = Math.max(...runs.map(({ firstAt }) => firstAt))
  figure({
    label: 'containers with the tag atoll:recover speak from another host after',
    value: all - lostAt,
    unit: 'ms',
    limit: TAKEN_MS,
  })
  figure({ label: 'their old runs were silent before that for', value: first - last, unit: 'ms' })
}

/** Waits until all of them speak, wherever they are. */
async function untilAllSpeak({ newest }: Speakers): Promise<void> {
  await until('they speak', PATIENCE_MS, async () =>
    [...newest().values()].every(({ lastAt }) => performance.now() - lastAt < SILENT_MS)
      ? true
      : null,
  )
}

/** Of a fault that is over. */
interface Over {
  readonly before: ReadonlyMap<string, Run>
  readonly ids: readonly string[]
  /** From now on, losses of the host count again. */
  readonly excused?: (() => void) | null
}

/**
 * Waits until all hosts have permission and all instances speak. Returns how many of these have
 * been started again since `before`.
 */
export async function mended(
  { lab, healed }: DrillContext,
  speakers: Speakers,
  { before, ids, excused = null }: Over,
): Promise<number> {
  healed()
  await untilAllMayRun(lab)
  await untilAllSpeak(speakers)
  excused?.()
  return startedAgain(speakers, before, ids)
}

/** How many of these have been started again since. */
function startedAgain(
  { newest }: Speakers,
  before: ReadonlyMap<string, Run>,
  ids: readonly string[],
): number {
  const now = newest()
  return ids.filter((id) => now.get(id)?.run !== before.get(id)?.run).length
}

/** What all these drills have. */
export const FENCED = {
  holdsApi: false,
  prepare: async (lab: Lab) => {
    await setFence(lab, true)
    await untilAllMayRun(lab)
  },
  cleanUp: async (lab: Lab) => {
    for (const host of lab.hosts) {
      // What an interrupted drill has left.
      await host.exec(['nft', 'delete', 'table', 'inet', DRILL_TABLE])
      await host.exec(['fsfreeze', '--unfreeze', '/var/lib'])
    }
    await setFence(lab, false)
  },
}

/** Drops what these hosts send to a port, also to themselves, until `undrop`. */
export async function drop(hosts: readonly LabHost[], port: string): Promise<void> {
  const rules = [
    `add table inet ${DRILL_TABLE}`,
    `add chain inet ${DRILL_TABLE} out { type filter hook output priority 0; }`,
    `add rule inet ${DRILL_TABLE} out ${port} drop`,
  ].join('; ')
  await Promise.all(hosts.map((host) => host.must(['nft', rules])))
}

export async function undrop(hosts: readonly LabHost[]): Promise<void> {
  const remove = ['nft', 'delete', 'table', 'inet', DRILL_TABLE]
  await Promise.all(hosts.map((host) => host.must(remove)))
}
