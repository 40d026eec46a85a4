/** `atoll move`, `moves`, `evacuate` and `rebalance`: instances on other hosts. */
import type { Command } from 'commander'
import type { MoveReport } from './api/moves/evacuate.ts'
import { columns, type Output, print, show } from './cli-output.ts'
import type { Clock } from './lib/clock.ts'
import { orderAdmin, readAdmin } from './operator/admin-client.ts'

interface Planned extends Output {
  readonly dryRun?: true
}

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
    .option('--cancel', 'end a move that is not complete: the instance goes on where it was')
    .action(async (instance: string, { to, cancel }: { to?: string; cancel?: true }) => {
      const path = `/v1/instances/${encodeURIComponent(instance)}`
      if (cancel === true) {
        const done = await orderAdmin(runtimeDir(), `${path}/cancel-move`)
        return print(`${instance}: stays on ${(done as { host: string }).host}`)
      }
      const query = to === undefined ? '' : `?to=${encodeURIComponent(to)}`
      const begun = (await orderAdmin(runtimeDir(), `${path}/move${query}`)) as { to: string }
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
    .option('--json', 'print JSON')
    .action(async (host: string, { dryRun, ...output }: Planned) => {
      const reports = await evacuate({ runtimeDir: runtimeDir(), clock }, host, dryRun === true)
      show(output, reports, render)
      if (dryRun !== true && reports.some(({ state }) => state !== 'done')) process.exitCode = 1
    })
  program
    .command('rebalance')
    .description('move few instances, so that hosts are evenly full')
    .option('--dry-run', 'only show what would move where')
    .option('--json', 'print JSON')
    .action(async ({ dryRun, ...output }: Planned) => {
      const reports = (await readAdmin(runtimeDir(), '/v1/rebalance')) as readonly MoveReport[]
      if (dryRun !== true) await moveEach({ runtimeDir: runtimeDir(), clock }, reports)
      show(output, reports, render)
    })
}

/** One after the other, so that each is down only while it is copied itself. */
async function moveEach(
  { runtimeDir, clock }: { readonly runtimeDir: string; readonly clock: Clock },
  planned: readonly MoveReport[],
): Promise<void> {
  const told = new Map<string, string>()
  for (const { instance, to } of planned) {
    const path = `/v1/instances/${encodeURIComponent(instance)}/move`
    await orderAdmin(runtimeDir, `${path}?to=${encodeURIComponent(to ?? '')}`)
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
  isDry: boolean,
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
  for (;;) {
    const { begun } = (await orderAdmin(runtimeDir, `${path}/evacuate?from=${from}`)) as {
      begun: number
    }
    for (;;) {
      const reports = await read()
      for (const report of reports) tell(report, told)
      const isUnderWay = reports.some(({ state }) => UNDER_WAY.has(state))
      const isWaiting = reports.some(({ state }) => state === 'waiting')
      if (!isUnderWay && (begun === 0 || !isWaiting)) return reports
      if (isWaiting && reports.filter(({ state }) => UNDER_WAY.has(state)).length < 2) break
      await clock.sleep(LOOK_MS)
    }
  }
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
  return downtimeMs === null ? '' : `(${(downtimeMs / MS).toFixed(1)} s down)`
}

function render(reports: readonly MoveReport[]): string {
  return columns(
    ['INSTANCE', 'FROM', 'TO', 'STATE', 'DOWN S', 'NOTE'],
    reports.map(({ instance, from, to, state, downtimeMs, message }) => [
      ...[instance, from, to, state],
      downtimeMs === null ? null : (downtimeMs / MS).toFixed(1),
      message,
    ]),
  )
}
