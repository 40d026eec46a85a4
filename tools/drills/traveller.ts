/**
 * A virtual machine that moves between hosts while it runs. It speaks to a witness outside, which
 * sees whether two copies of it ever run, and another host's container pings it.
 */
import { join } from 'node:path'
import { z } from 'zod'
import { serialShell } from '../kit/serial-shell.ts'
import type { Lab } from '../lab/lab.ts'
import { until } from '../lab/run.ts'
import { describeAll, launch, machineImage } from './api.ts'
import type { DrillContext } from './drill.ts'
import { containersOf, netnsOf, rootOf, workloadsOf } from './host-state.ts'
import { newSeries } from './probe-losses.ts'
import { startPings } from './probes.ts'
import { readRecords } from './records.ts'
import { openWitness, speakAndCount, type Witness } from './witness.ts'

const PATIENCE_MS = 180_000
/** An emulated guest answers slowly. */
const PING_EVERY_MS = 20
const LOOK_MS = 100
const MOVE_MS = 60_000

/** What the commands print of moves. */
export const movesSchema = z.array(
  z.object({
    instance: z.string(),
    to: z.string().nullable(),
    state: z.string(),
    message: z.string(),
    downtimeMs: z.number().nullable(),
    live: z.boolean().default(false),
  }),
)
type MoveLine = z.output<typeof movesSchema>[number]

/** The machine. */
export interface Traveller {
  readonly id: string
  readonly witness: Witness
  /** The host that the records give it to. */
  host(): Promise<string>
  /** Begins to move it, and returns when that has begun. */
  depart(to: string): Promise<void>
  /** Its move, when it has ended. A host of the lab must be on. */
  ended(): Promise<MoveLine>
  /** Waits until it runs on the host that the records name, and nothing of it is elsewhere. */
  settled(): Promise<string>
  /** Pings it from a container of the host until the returned function is called. */
  pinged(from: string): Promise<() => number>
}

/** What the command says of moves, from the first host that answers. */
export async function movesIn(lab: Lab): Promise<readonly MoveLine[] | null> {
  for (const host of lab.hosts) {
    const { exitCode, stdout } = await host.exec(['atoll', 'moves', '--json'])
    if (exitCode === 0) return movesSchema.parse(JSON.parse(stdout))
  }
  return null
}

/** Does `work` with a machine that speaks. Fails if two copies of it ever ran. */
export async function withTraveller(
  context: DrillContext,
  work: (traveller: Traveller) => Promise<void>,
): Promise<void> {
  const { lab, list, progress } = context
  const witness = await openWitness()
  try {
    const image = await machineImage(list, lab.hosts)
    const [id = ''] = await launch(list, image, 1, `travel-${Date.now()}`)
    await until('it runs', PATIENCE_MS, async () => {
      const [found] = await describeAll(list, [id])
      return found?.State?.Name === 'running' ? true : null
    })
    const traveller = travellerOf(context, id, witness)
    await speak(lab, await traveller.host(), id)
    await until('it speaks', PATIENCE_MS, async () => (witness.runs(id).length > 0 ? true : null))
    progress(`the machine ${id} speaks to a witness`)
    await work(traveller)
    const overlaps = witness.overlaps()
    if (overlaps.length > 0) throw new Error(overlaps.slice(0, 3).join('; '))
  } finally {
    witness.close()
  }
}

/** Has it speak from now on. */
export async function speak(lab: Lab, host: string, id: string): Promise<void> {
  const serial = join(await rootOf(lab, host), 'run/atoll/vm', id, 'serial')
  await until('it has an address', PATIENCE_MS, async () => {
    const said = await serialShell(serial, 'ip -4 address show dev eth0').catch(() => '')
    return said.includes('inet ') ? true : null
  })
  await serialShell(serial, speakAndCount(id))
}

function travellerOf({ lab, list, fleet }: DrillContext, id: string, witness: Witness): Traveller {
  const host = () =>
    until('its host is known', PATIENCE_MS, async () => {
      const records = await readRecords(lab)
      return records?.instances.find((one) => one.id === id)?.host ?? null
    })
  return {
    id,
    witness,
    host,
    async depart(to) {
      const third = lab.hosts.find(({ name }) => name !== to)
      await third?.must(['atoll', 'move', id, '--to', to, '--live'], { timeoutMs: MOVE_MS })
    },
    ended: () =>
      until(
        'its move ends',
        PATIENCE_MS,
        async () => {
          const move = (await movesIn(lab))?.find(({ instance }) => instance === id)
          return move?.state === 'done' || move?.state === 'failed' ? move : null
        },
        LOOK_MS,
      ),
    settled: () =>
      until('it runs on one host', PATIENCE_MS, async () => {
        const at = await host()
        for (const { name } of lab.hosts) {
          // A container that ends meanwhile, or an engine that starts.
          const all = await workloadsOf(lab, name).catch(() => null)
          if (all === null) return null
          const there = all.find(({ instance }) => instance === id)
          if ((there?.running ?? false) !== (name === at)) return null
          if (there !== undefined && name !== at) return null
        }
        return at
      }),
    async pinged(from) {
      const [found] = await describeAll(list, [id])
      const { id: pinging } = fleet.on(from)[0]
      const containers = await containersOf(lab, from)
      const container = containers.find(({ instance }) => instance === pinging)
      const series = newSeries('packets', `${from} to the machine that moves`, [from])
      const netnsFile = await netnsOf(lab, from, container?.pid ?? 0)
      const prober = await startPings(
        series,
        PING_EVERY_MS,
        { netnsFile },
        found?.PrivateIpAddress ?? '',
      )
      return () => {
        prober.close()
        const answered = series.answeredAt
          .filter((at) => !Number.isNaN(at))
          .toSorted((a, b) => a - b)
        return Math.max(0, ...answered.slice(1).map((at, n) => at - (answered[n] ?? at)))
      }
    },
  }
}
