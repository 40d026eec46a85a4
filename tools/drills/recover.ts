/**
 * Drills of instances that survive their host (`atoll:recover`): their host is lost, cut off or
 * frozen. Whatever happens, no instance may ever run twice.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import type { LabHost } from '../lab/host.ts'
import type { Lab } from '../lab/lab.ts'
import { until } from '../lab/run.ts'
import { launch } from './api.ts'
import type { Drill, DrillContext } from './drill.ts'
import { untilMachinesAnswer, untilOwnAnswer } from './hosts.ts'
import type { FaultWindow } from './probe-losses.ts'
import { beaconImage, openWitness, type Run, type Witness } from './witness.ts'

const CONFIG = '/etc/atoll/atoll.yaml'
const RECOVER = [{ Key: 'atoll:recover', Value: 'discard-disk' }]
const INSTANCES = 3
const PATIENCE_MS = 120_000
/** From the loss of a host to the answer from another one. */
const TAKEN_MS = 19_000
/** Longer than any permission lasts. */
const STORE_CUT_MS = 30_000
const FREEZES_MS = [5_000, 11_000, 20_000, 60_000]
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
async function untilAllMayRun(lab: Lab): Promise<void> {
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
interface Speakers {
  readonly ids: readonly string[]
  readonly witness: Witness
  /** Their newest runs. Throws when one has never spoken. */
  newest(): ReadonlyMap<string, Run>
}

/** Does `work` with instances that speak and may be taken over. Fails if one ever ran twice. */
async function withSpeakers(
  context: DrillContext,
  work: (speakers: Speakers) => Promise<void>,
): Promise<void> {
  const { lab, list, progress } = context
  const witness = await openWitness()
  try {
    const image = await beaconImage(lab, list)
    const ids = await launch(list, image, INSTANCES, `speak-${Date.now()}`, { tags: RECOVER })
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
function victimOf(lab: Lab, { ids, newest }: Speakers) {
  const runs = newest()
  const from = runs.get(ids[0] ?? '')?.from
  const index = lab.layout.hosts.findIndex(({ outsideAddress }) => outsideAddress === from)
  const host = lab.hosts[index]
  if (host === undefined) throw new Error(`no host has the address ${from}`)
  return { host, there: ids.filter((id) => runs.get(id)?.from === from) }
}

/** Waits until these speak from another host, and says how long that took from `lostAt`. */
async function untilElsewhere(
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

/** Loses a host in some way until its instances run elsewhere. */
async function lose(
  context: DrillContext,
  what: FaultWindow['what'],
  ways: { fail(host: LabHost): Promise<void>; mend(host: LabHost): Promise<void> },
): Promise<void> {
  const { lab, excuse, fault, healed, progress } = context
  await withSpeakers(context, async (speakers) => {
    const { host, there } = victimOf(lab, speakers)
    progress(`${host.name} is the host of ${there.length} of them`)
    excuse(host.name, what)
    fault()
    const lostAt = performance.now()
    await ways.fail(host)
    await untilElsewhere(context, speakers, there, lostAt)
    progress(`${host.name} comes back`)
    healed()
    await ways.mend(host)
    await untilAllMayRun(lab)
  })
}

/** Freezes something on the host of a speaker for longer and longer. */
async function freeze(
  context: DrillContext,
  what: string,
  ways: {
    readonly excused: FaultWindow['what'] | null
    /** A script that sends a signal, which is its first argument. */
    readonly script: string
  },
): Promise<void> {
  const { lab, excuse, fault, figure, healed, progress } = context
  await withSpeakers(context, async (speakers) => {
    for (const ms of FREEZES_MS) {
      await untilAllMayRun(lab)
      const { host } = victimOf(lab, speakers)
      const before = speakers.newest()
      progress(`${what} of ${host.name} is stopped for ${ms / 1000} s`)
      const excused = ways.excused === null ? null : excuse(host.name, ways.excused)
      fault()
      const send = (signal: string) => host.must(['sh', '-c', ways.script, signal])
      await send('STOP')
      await delay(ms)
      await send('CONT')
      healed()
      await until('they speak', PATIENCE_MS, async () =>
        [...speakers.newest().values()].every(
          ({ lastAt }) => performance.now() - lastAt < SILENT_MS,
        )
          ? true
          : null,
      )
      await untilAllMayRun(lab)
      excused?.()
      const after = speakers.newest()
      const moved = speakers.ids.filter((id) => after.get(id)?.run !== before.get(id)?.run)
      figure({
        label: `containers that were started again when ${what} was stopped for ${ms / 1000} s`,
        value: moved.length,
        unit: '',
      })
    }
  })
}

const FENCED = {
  holdsApi: false,
  prepare: async (lab: Lab) => {
    await setFence(lab, true)
    await untilAllMayRun(lab)
  },
  cleanUp: async (lab: Lab) => {
    await setFence(lab, false)
  },
}

export const recoverHostLoss: Drill = {
  ...FENCED,
  name: 'host-loss-recover',
  about:
    'the host of containers with the tag `atoll:recover` loses its power, and gets it back when they run elsewhere',
  answer:
    'The others start them again when most of them have not heard from the host for longer than any permission lasts. They have the same ids and addresses, and new disks. When the host is back, it removes what it had of them.',
  run: (context) =>
    lose(context, 'all', {
      fail: async (host) => {
        await host.kill()
        context.probes.detach(host.name)
      },
      mend: async (host) => {
        const on = performance.now()
        await host.start()
        await untilOwnAnswer(context, host.name)
        await untilMachinesAnswer(context, [host.name], on)
        await context.probes.attach(host.name)
      },
    }),
}

export const fabricCut: Drill = {
  ...FENCED,
  name: 'fabric-cut',
  about:
    'the fabric of the host of containers with the tag `atoll:recover` is cut, and restored when they run elsewhere; its uplink stays',
  answer:
    'Nobody permits the host to go on, so the kernel drops their packets and a process ends them 8 seconds after the last permission. The others start them again. All other instances of the host go on.',
  run: (context) =>
    lose(context, 'fabric', {
      fail: (host) => host.cut(),
      mend: (host) => host.heal(),
    }),
}

export const storeCut: Drill = {
  ...FENCED,
  name: 'store-cut',
  about: `the host of containers with the tag \`atoll:recover\` reaches no database for ${STORE_CUT_MS / 1000} seconds`,
  answer:
    'Its lease runs out, and it is shown as lost. It still has permission from the other hosts, which do not consent to a takeover. So its instances go on.',
  run: (context) =>
    withSpeakers(context, async (speakers) => {
      const { lab, fault, healed, figure } = context
      const { host, there } = victimOf(lab, speakers)
      const before = speakers.newest()
      const rules =
        'add table inet drill; add chain inet drill out { type filter hook output priority 0; }; add rule inet drill out tcp dport 3306 drop'
      fault()
      await host.must(['nft', rules])
      await delay(STORE_CUT_MS)
      await host.must(['nft', 'delete table inet drill'])
      healed()
      await untilAllMayRun(lab)
      const after = speakers.newest()
      const moved = there.filter((id) => after.get(id)?.run !== before.get(id)?.run)
      figure({
        label: 'containers that were started again',
        value: moved.length,
        unit: '',
        limit: 0,
      })
    }),
}

const byPid = (find: string) => `for pid in $(${find}); do kill -s "$0" "$pid"; done`

export const freezeDaemon: Drill = {
  ...FENCED,
  name: 'freeze-daemon',
  about:
    'the agent on the host of a container with the tag `atoll:recover` is stopped for 5, 11, 20 and 60 seconds',
  answer:
    'The process `fence` needs no agent: it goes on asking for permission, so nothing is started again.',
  run: (context) =>
    freeze(context, 'the agent', {
      excused: 'services',
      script: byPid('s6-svstat -o pid /run/service/atolld'),
    }),
}

export const freezeFence: Drill = {
  ...FENCED,
  name: 'freeze-fence',
  about:
    'the process `fence` on the host of a container with the tag `atoll:recover` is stopped for 5, 11, 20 and 60 seconds',
  answer:
    'The agent kills a process `fence` that does not answer, and starts another one, which goes on with the permission of the one before or ends what has none.',
  run: (context) =>
    freeze(context, 'the process fence', {
      excused: null,
      script: byPid("pgrep -f -- '[-]-part fence'"),
    }),
}

export const freezeHost: Drill = {
  ...FENCED,
  name: 'freeze-host',
  about:
    'all processes on the host of a container with the tag `atoll:recover` are stopped for 5, 11, 20 and 60 seconds, as if its machine were paused',
  answer:
    'Nobody can end anything there, but the permission in the kernel runs out, so its packets are dropped. When the processes go on, `fence` ends what has been started elsewhere meanwhile before it can be heard.',
  run: (context) => freeze(context, 'everything', { excused: 'all', script: 'kill -s "$0" -- -1' }),
}
