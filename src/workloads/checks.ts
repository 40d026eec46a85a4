/**
 * Asks the running instances of this host whether they are there, as EC2's instance status check.
 *
 * - Its part of the want: `local.instances` that are to run. It changes nothing.
 * - It asks each by ARP, in the namespace of its VPC, which no rule can forbid. A container's
 *   network answers even when all its processes are stopped, and a guest's kernel when its programs
 *   hang, so the driver is asked, too (`Pulse`).
 * - What it found is reported in every pass; only another result changes the record
 *   (`model/lifecycle.ts`). A fresh daemon has found nothing, so the record stays as it is.
 * - No pass waits for an answer. A new result wakes the agent.
 * - Where a setting says so, what has failed for a while is also reported as hung
 *   (`model/hang.ts`), unless the asking itself may be what has failed (`hangs.ts`).
 */
import type { Host, NamespaceHost } from '../host/host.ts'
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import { createLimit } from '../lib/queue.ts'
import type { InstanceId } from '../model/ids.ts'
import type { CheckedFact, CheckResult } from '../model/instance-check.ts'
import { nicLinkName } from '../model/names.ts'
import type { InstanceWant } from '../model/want.ts'
import type { HostService } from '../services/service.ts'
import type { OpenDriver } from './driver.ts'
import { hungOf } from './hangs.ts'

/** As often as EC2: "Status checks are performed every minute". */
const ROUND_MS = 60_000
/** One that is starting. */
const SOON_MS = 1_000
/** One that did not answer. */
const AGAIN_MS = 5_000
/** Each has a socket, and after a start of the daemon all are asked in the same second. */
const ASKED_AT_ONCE = 64
/** How long one must be silent, and how often. A busy host or a snapshot takes seconds. */
const SILENT_MS = 30_000
const SILENT_TIMES = 3
/** How long one that has not answered yet may take to boot. Emulated, that is minutes. */
const BOOT_MS = 300_000

/** A daemon that was stopped has not asked meanwhile: so much at most counts between two times. */
const GAP_MS = 15_000

/** What a question came to. */
type Outcome = 'answered' | 'silent' | 'unasked' | 'absent'

/** One boot of an instance. */
interface Watched {
  want: InstanceWant
  readonly bootCount: number
  hasAnswered: boolean
  /** Since when (monotonic) it is known to run, and to be silent. */
  runsSince: number | null
  silentSince: number | null
  silentTimes: number
  result: CheckResult | null
  /** How long it has failed, as far as it was asked; null: it has not. */
  failedMs: number | null
  /** When it was last asked (monotonic). */
  askedAt: number
  /** Ends the wait for the next question. */
  cancel: () => void
}

/** What the service is made of. */
interface ChecksOptions {
  readonly drivers: readonly {
    readonly declaration: Pick<OpenDriver['declaration'], 'name'>
    readonly driver: Pick<OpenDriver['driver'], 'pulse'>
  }[]
  readonly host: Pick<Host, 'answersArp'> & {
    readonly vpcs: {
      opened(network: number): Pick<NamespaceHost, 'answersArp'> | undefined
    }
  }
  /** How long one must have failed before it is to be rebooted; null: none is. */
  readonly rebootAfterMs: number | null
  /** Asks for a pass. */
  readonly wake: () => void
  readonly clock: Pick<Clock, 'monotonic' | 'after' | 'sleep'>
  readonly log: Log
}

/** The service. It knows of no instances at first. */
export function createChecks(options: ChecksOptions): HostService {
  const { rebootAfterMs, wake, clock, log } = options
  const watched = new Map<InstanceId, Watched>()
  const places = createLimit({ places: ASKED_AT_ONCE })

  async function look(one: Watched): Promise<void> {
    const { id } = one.want
    const asked = places.run({}, () => ask(options, one.want))
    const outcome = await asked.catch((error: unknown): Outcome => {
      log.debug({ instance: id, error }, 'an instance could not be asked')
      return 'unasked'
    })
    if (watched.get(id) !== one) return
    const before = one.result
    judge(one, outcome, clock.monotonic())
    one.cancel = clock.after(pauseOf(one, outcome, before), () => void look(one))
    const { result } = one
    if (result === before) return
    if (result !== 'passed') log.warn({ instance: id, result }, 'an instance does not answer')
    else if (before !== null) log.info({ instance: id }, 'an instance answers again')
    wake()
  }

  function forget(id: InstanceId): void {
    watched.get(id)?.cancel()
    watched.delete(id)
  }

  function begin(want: InstanceWant): Watched {
    const one: Watched = {
      ...{ want, bootCount: want.bootCount, hasAnswered: false, result: null },
      ...{ runsSince: null, silentSince: null, silentTimes: 0, failedMs: null },
      askedAt: clock.monotonic(),
      cancel: clock.after(SOON_MS, () => void look(one)),
    }
    return one
  }

  return {
    name: 'instance-checks',
    gate: false,
    apply: async ({ want }) => {
      const running = want.local.instances.filter(({ run, claimed }) => run === 'run' && claimed)
      const wanted = new Map(running.map((one) => [one.id, one]))
      for (const [id, one] of watched) if (wanted.get(id)?.bootCount !== one.bootCount) forget(id)
      for (const [id, instance] of wanted) {
        const known = watched.get(id)
        if (known !== undefined) known.want = instance
        else watched.set(id, begin(instance))
      }
      const all = [...watched.values()]
      const results = all.flatMap(factOf)
      return rebootAfterMs === null ? results : [...results, ...hungOf(all, rebootAfterMs)]
    },
    close: async () => {
      for (const id of [...watched.keys()]) forget(id)
    },
  }
}

async function ask(
  { drivers, host, clock }: ChecksOptions,
  { id, driver: name, bootCount, nics }: InstanceWant,
): Promise<Outcome> {
  const driver = drivers.find(({ declaration }) => declaration.name === name)?.driver
  const pulse = (await driver?.pulse?.(id, bootCount)) ?? 'runs'
  if (pulse === 'absent') return 'absent'
  if (pulse === 'halted') return 'silent'
  const [nic] = nics
  if (nic === undefined) return 'unasked'
  const place = nic.network === undefined ? host : host.vpcs.opened(nic.network)
  const answers = (await place?.answersArp(nicLinkName(nic.id), nic, clock)) ?? null
  if (answers === null) return 'unasked'
  return answers ? 'answered' : 'silent'
}

/** Draws the conclusion. */
function judge(one: Watched, outcome: Outcome, now: number): void {
  const sinceMs = now - one.askedAt
  one.askedAt = now
  if (outcome === 'answered' || outcome === 'absent') {
    one.silentSince = null
    one.silentTimes = 0
    one.failedMs = null
  }
  if (outcome === 'absent') {
    // It has yet to begin, or has ended, which its driver will report.
    one.runsSince = null
    return
  }
  one.runsSince ??= now
  if (outcome === 'answered') {
    one.hasAnswered = true
    one.result = 'passed'
    return
  }
  one.silentSince ??= now
  one.silentTimes += 1
  const isBooting = !one.hasAnswered && now - one.runsSince < BOOT_MS
  const isLong = one.silentTimes >= SILENT_TIMES && now - one.silentSince >= SILENT_MS
  if (isBooting || !isLong) return
  one.result = outcome === 'silent' ? 'failed' : 'unknown'
  if (one.result === 'failed')
    one.failedMs = one.failedMs === null ? 0 : one.failedMs + Math.min(sinceMs, GAP_MS)
}

/** How long until it is asked again. */
function pauseOf(one: Watched, outcome: Outcome, before: CheckResult | null): number {
  if (outcome !== 'answered') return one.result === null ? SOON_MS : AGAIN_MS
  // Those that begin together, as after a start of the daemon, are spread over a round.
  return before === null ? ROUND_MS * (1 + shareOf(one.want.id)) * 0.5 : ROUND_MS
}

/** A number from 0 to 1 that differs between instances. */
function shareOf(id: InstanceId): number {
  return Number.parseInt(id.slice(-4), 16) / 0x10000
}

function factOf({ want: { id: instance }, bootCount, result }: Watched): readonly CheckedFact[] {
  return result === null ? [] : [{ kind: 'checked', instance, bootCount, result }]
}
