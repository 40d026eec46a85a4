/**
 * Drills of moves between hosts: a host is evacuated under load, and a virtual machine moves while
 * it runs, whose old or new host is killed meanwhile.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { LabHost } from '../lab/host.ts'
import { until } from '../lab/run.ts'
import type { Drill, DrillContext } from './drill.ts'
import { untilMachinesAnswer, untilOwnAnswer } from './hosts.ts'
import { movesIn, movesSchema, speak, type Traveller, withTraveller } from './traveller.ts'

const EVACUATED_MS = 400_000
const PATIENCE_MS = 180_000
/** Of a machine of 256 MiB that does little. */
const STILL_MS = 300
const EVACUATED = 'h2'
/** Kills of the daemon; then the whole host loses its power. */
const KILLS = 2
/** An emulated machine moves in about half a minute, and boots in as much. */
const LIMIT_MS = 900_000

export const evacuateLoad: Drill = {
  name: 'evacuate-load',
  about: `${EVACUATED} is evacuated with \`--live\` while it works; later everything moves back`,
  answer:
    'Its virtual machine moves while it runs. Its containers are stopped, copied and started elsewhere, two at a time. Instances of other hosts notice nothing.',
  holdsApi: true,
  limitMs: LIMIT_MS,
  async run(context) {
    const { lab, fleet, probes, excuse, fault, healed, figure, progress } = context
    const operator = lab.host('h1')
    const own = fleet.members.filter(({ host }) => host === EVACUATED)
    excuse(EVACUATED, 'all')
    fault()
    const began = performance.now()
    const said = await operator.exec(['atoll', 'evacuate', EVACUATED, '--live', '--json'], {
      timeoutMs: EVACUATED_MS,
    })
    const reports = movesSchema.parse(JSON.parse(said.stdout))
    figure({
      label: `${own.length} instances are elsewhere`,
      value: performance.now() - began,
      unit: 'ms',
    })
    const failed = reports.filter(({ state }) => state !== 'done')
    if (failed.length > 0 || reports.length !== own.length)
      throw new Error(`it is not evacuated: ${failed.map(({ message }) => message).join('; ')}`)
    const stopped = (isLive: boolean) =>
      reports.filter(({ live }) => live === isLive).flatMap(({ downtimeMs }) => downtimeMs ?? [])
    const containers = Math.max(0, ...stopped(false))
    figure({ label: 'longest stop of a container', value: containers, unit: 'ms' })
    for (const value of stopped(true))
      figure({ label: 'stop of its virtual machine', value, unit: 'ms' })
    progress('everything moves back')
    probes.detach(EVACUATED)
    await operator.must(['atoll', 'undrain', EVACUATED])
    for (const { instance, live } of reports) {
      const how = live ? ['--live'] : []
      await operator.must(['atoll', 'move', instance, '--to', EVACUATED, ...how])
    }
    await until('all instances are back', EVACUATED_MS, async () => {
      const back = (await movesIn(lab))?.filter(
        ({ to, state }) => to === EVACUATED && state === 'done',
      )
      return reports.every(({ instance }) => back?.some((one) => one.instance === instance))
        ? true
        : null
    })
    healed()
    await untilOwnAnswer(context, EVACUATED)
    await untilMachinesAnswer(context, [EVACUATED], performance.now())
    await probes.attach(EVACUATED)
  },
}

/** Two other hosts: one to move to, and one that sees it. */
function othersOf({ lab }: DrillContext, host: string): readonly [LabHost, LabHost] {
  const [to, third] = lab.hosts.filter(({ name }) => name !== host)
  if (to === undefined || third === undefined) throw new Error('a lab of three hosts')
  return [to, third]
}

/** Moves it without a fault. Returns how long that took from the order on. */
async function undisturbed(context: DrillContext, traveller: Traveller): Promise<number> {
  const [to, third] = othersOf(context, await traveller.host())
  const longest = await traveller.pinged(third.name)
  const began = performance.now()
  await traveller.depart(to.name)
  const move = await traveller.ended()
  const ms = performance.now() - began
  if (move.state !== 'done') throw new Error(`it did not move: ${move.message}`)
  await traveller.settled()
  const { figure } = context
  figure({
    label: 'longest gap of pings to a machine that moves',
    value: longest(),
    unit: 'ms',
    limit: STILL_MS,
  })
  const said = (await movesIn(context.lab))?.find(({ instance }) => instance === traveller.id)
  if (said?.downtimeMs != null)
    figure({ label: 'it stood still for', value: said.downtimeMs, unit: 'ms' })
  return ms
}

/** Moves it, and kills something of one of its hosts at a moment that nobody has chosen. */
async function killDuring(context: DrillContext, which: 'source' | 'target'): Promise<void> {
  const { lab, excuse, fault, healed, progress, note } = context
  await withTraveller(context, async (traveller) => {
    const usualMs = await undisturbed(context, traveller)
    for (let kill = 0; kill <= KILLS; kill += 1) {
      const isWhole = kill === KILLS
      const source = await traveller.settled()
      const [to] = othersOf(context, source)
      const victim = which === 'source' ? lab.host(source) : to
      const afterMs = Math.random() * usualMs
      const excused = excuse(victim.name, isWhole ? 'all' : 'services')
      fault()
      await traveller.depart(to.name)
      await delay(afterMs)
      progress(
        `${victim.name}: ${isWhole ? 'power' : 'daemon'}, ${Math.round(afterMs)} ms after the order`,
      )
      if (isWhole) await loseAndRegain(context, victim)
      else await victim.service('atolld').crash()
      const { state, message } = await traveller.ended()
      const at = await traveller.settled()
      note(
        `${isWhole ? 'power' : 'daemon'} after ${Math.round(afterMs)} of about ${Math.round(usualMs)} ms: ${state} ${message}, runs on ${at}`,
      )
      // It has booted again only if its host lost its power.
      if (isWhole && at === victim.name) await speak(lab, at, traveller.id)
      await untilHeard(traveller)
      excused()
    }
    healed()
  })
}

/** Waits until it speaks, in the run that it had, or that `speak` has begun. */
async function untilHeard({ id, witness }: Traveller): Promise<void> {
  const sinceAt = performance.now()
  await until('it speaks', PATIENCE_MS, async () =>
    (witness.runs(id).at(-1)?.lastAt ?? 0) > sinceAt ? true : null,
  )
}

async function loseAndRegain(context: DrillContext, victim: LabHost): Promise<void> {
  await victim.kill()
  context.probes.detach(victim.name)
  await delay(5_000)
  const on = performance.now()
  await victim.start()
  await untilOwnAnswer(context, victim.name)
  await untilMachinesAnswer(context, [victim.name], on)
  await context.probes.attach(victim.name)
}

const KILLED = `by SIGKILL of its daemon ${KILLS} times, then by the loss of its power`

export const moveSourceKilled: Drill = {
  name: 'move-source-killed',
  about: `a virtual machine moves while it runs, and its old host is killed at any moment: ${KILLED}`,
  answer:
    'Either it goes on there, or it is already on its new host: the records say which. It never runs on both. A machine that was still on the old host boots again with it.',
  holdsApi: false,
  limitMs: LIMIT_MS,
  run: (context) => killDuring(context, 'source'),
}

export const moveTargetKilled: Drill = {
  name: 'move-target-killed',
  about: `a virtual machine moves while it runs, and its new host is killed at any moment: ${KILLED}`,
  answer:
    'Unless the records give it to the new host already, it goes on where it was, and the move is shown as failed. It never runs on both.',
  holdsApi: false,
  limitMs: LIMIT_MS,
  run: (context) => killDuring(context, 'target'),
}
