/** `atoll move`, `moves`, `evacuate` and `rebalance`: instances on other hosts. */
import type { Command } from 'commander'
import type { MoveReport } from './api/moves/evacuate.ts'
import { columns, type Output, print, show } from './cli-output.ts'
import type { Clock } from './lib/clock.ts'
import { orderAdmin, readAdmin } from './operator/admin-client.ts'

interface Planned extends Output {
  readonly dryRun?: true
  readonly live?: true
}

interface MoveOptions {
  readonly to?: string
  readonly live?: true
  readonly cancel?: true
}

const LIVE = 'move virtual machines while they run, where that is possible; others are stopped'
const IF_POSSIBLE = { live: 'if-possible' }
/** How often progress is looked at. */
const LOOK_MS = 1_000
const MS = 1000

/** Adds the commands. */
export function addMoves(program: Command, runtimeDir: () => string, clock: Clock): void {
  program
    .command('move <instance>')
    .description(
      'stop an instance, copy what it has written to another host, and start it there with the same id and addresses',
    )
    .option('--to <host>', 'this host; default: the one with the most room')
    .option('--live', 'move a virtual machine while it runs')
    .option('--cancel', 'end a move that is not complete: the instance goes on where it was')
    .action(async (instance: string, { to, live, cancel }: MoveOptions) => {
      const path = `/v1/instances/${encodeURIComponent(instance)}`
      if (cancel === true) {
        const done = await orderAdmin(runtimeDir(), `${path}/cancel-move`)
        return print(`${instance}: stays on ${(done as { host: string }).host}`)
      }
      const query = new URLSearchParams({
        ...(to === undefined ? {} : { to }),
        ...(live === true ? { live: 'true' } : {}),
      })
      const begun = (await orderAdmin(runtimeDir(), `${path}/move?${query}`)) as { to: string }
      print(`${instance}: moving to ${begun.to}; see: atoll moves`)
    })
  program
    .command('moves')
    .description('list the last move of each instance, and what is being moved')
    .option('--json', 'print JSON')
    .action(async (output: Output) => {
      show(output, (await readAdmin(runtimeDir(), '/v1/moves')) as readonly MoveReport[], render)
    })
  program
    .command('evacuate <host>')
    .description(
      'drain a host, then move everything that can move to other hosts, two instances at a time. Run it again to go on',
    )
    .option('--dry-run', 'only show what would move where, and what cannot and why')
    .option('--live', LIVE)
    .option('--json', 'print JSON')
    .action(async (host: string, { dryRun, live, ...output }: Planned) => {
      const how = { isDry: dryRun === true, live: live === true }
      const reports = await evacuate({ runtimeDir: runtimeDir(), clock }, host, how)
      show(output, reports, render)
      if (dryRun !== true && reports.some(({ state }) => state !== 'done')) process.exitCode = 1
    })
  program
    .command('rebalance')
    .description('move few instances, so that hosts are evenly full')
    .option('--dry-run', 'only show what would move where')
    .option('--live', LIVE)
    .option('--json', 'print JSON')
    .action(async ({ dryRun, live, ...output }: Planned) => {
      const reports = (await readAdmin(runtimeDir(), '/v1/rebalance')) as readonly MoveReport[]
      if (dryRun !== true)
        await moveEach({ runtimeDir: runtimeDir(), clock }, reports, live === true)
      show(output, reports, render)
    })
}

/** One after the other, so that each is down only while it is copied itself. */
async function moveEach(
  { runtimeDir, clock }: { readonly runtimeDir: string; readonly clock: Clock },
  planned: readonly MoveReport[],
  live: boolean,
): Promise<void> {
  const told = new Map<string, string>()
  for (const { instance, to } of planned) {
    const path = `/v1/instances/${encodeURIComponent(instance)}/move`
    const query = new URLSearchParams({ to: to ?? '', ...(live ? IF_POSSIBLE : {}) })
    await orderAdmin(runtimeDir, `${path}?${query}`)
    for (;;) {
      const moves = (await readAdmin(runtimeDir, '/v1/moves')) as readonly MoveReport[]
      const now = moves.find((one) => one.instance === instance)
      if (now !== undefined) tell(now, told)
      if (now === undefined || !UNDER_WAY.has(now.state)) break
      await clock.sleep(LOOK_MS)
    }
  }
}

/** Resolves when nothing is left to be moved, or nothing can be. */
async function evacuate(
  { runtimeDir, clock }: { readonly runtimeDir: string; readonly clock: Clock },
  host: string,
  { isDry, live }: { readonly isDry: boolean; readonly live: boolean },
): Promise<readonly MoveReport[]> {
  const path = `/v1/hosts/${encodeURIComponent(host)}`
  // What fails now is not tried again before the next run.
  const from = String(clock.now())
  const read = async () => {
    const asked = isDry ? {} : { from }
    return (await readAdmin(runtimeDir, `${path}/evacuation`, asked)) as readonly MoveReport[]
  }
  if (isDry) return await read()
  const told = new Map<string, string>()
  const query = new URLSearchParams({ from, ...(live ? IF_POSSIBLE : {}) })
  for (;;) {
    const { begun } = (await orderAdmin(runtimeDir, `${path}/evacuate?${query}`)) as {
      begun: number
    }
    for (;;) {
      const reports = await read()
      for (const report of reports) tell(report, told)
      const isUnderWay = reports.some(({ state }) => UNDER_WAY.has(state))
      const isWaiting = reports.some(({ state }) => state === 'waiting')
      if (!isUnderWay && (begun === 0 || !isWaiting)) return await timed(reports, read)
      if (isWaiting && reports.filter(({ state }) => UNDER_WAY.has(state)).length < 2) break
      await clock.sleep(LOOK_MS)
    }
  }
}

/**
 * With what a host says a moment after the end of a live move: how long the machine stood still.
 * One that ended meanwhile never says so.
 */
async function timed(
  reports: readonly MoveReport[],
  again: () => Promise<readonly MoveReport[]>,
): Promise<readonly MoveReport[]> {
  const isUntimed = ({ live, state, downtimeMs }: MoveReport) =>
    live === true && state === 'done' && downtimeMs === null
  return reports.some(isUntimed) ? await again() : reports
}

const UNDER_WAY: ReadonlySet<string> = new Set(['stopping', 'copying', 'starting'])

/** Prints what is new of an instance. */
function tell({ instance, to, state, message, downtimeMs }: MoveReport, told: Map<string, string>) {
  if (state === 'waiting') return
  const text = `${instance}: ${[state, to === null ? '' : `-> ${to}`, message, downtimeText(downtimeMs)].filter((part) => part !== '').join(' ')}`
  if (told.get(instance) === text) return
  told.set(instance, text)
  process.stderr.write(`${text}\n`)
}

function downtimeText(downtimeMs: number | null): string {
  return downtimeMs === null ? '' : `(${secondsOf(downtimeMs)} s down)`
}

/** One that moved while it runs stood still for a fraction of a second. */
function secondsOf(downtimeMs: number): string {
  return (downtimeMs / MS).toFixed(downtimeMs < MS ? 2 : 1)
}

function render(reports: readonly MoveReport[]): string {
  return columns(
    ['INSTANCE', 'FROM', 'TO', 'STATE', 'DOWN S', 'NOTE'],
    reports.map(({ instance, from, to, state, downtimeMs, message, live }) => [
      ...[instance, from, to, live === true ? `${state} (live)` : state],
      downtimeMs === null ? null : secondsOf(downtimeMs),
      message,
    ]),
  )
}
