/**
 * The impact of an attack on neighbours: probes of one instance, a client of the API, and the
 * host's lease.
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { OUTSIDE_SERVER } from '../../lab/layout.ts'
import { newSeries, type Series } from '../probe-losses.ts'
import { type Prober, startDnsQueries, startPings, startRenewals } from '../probes.ts'
import type { AttackContext, Place } from './attack.ts'

const GATEWAY = '172.31.0.1'
const ZONE = 'atoll.internal'
const PING_EVERY_MS = 10
const DNS_EVERY_MS = 20
/** The rate that the service allows one client permanently. */
const DHCP_EVERY_MS = 250
const API_WATCH = join(import.meta.dirname, 'api-watch.ts')
const LEASE_EVERY_SECONDS = 0.25
/** Packets that were sent this shortly before the end may still be answered. */
const IN_FLIGHT_MS = 1000
const SHARE = 0.99

/** The impact during one period. Times in milliseconds. */
export interface NeighbourImpact {
  readonly packets: { readonly sent: number; readonly lost: number }
  readonly dns: Answers
  readonly dhcp: Answers
  readonly api: Answers
  /** Checks of the lease that found it expired, of all checks. */
  readonly lease: { readonly looks: number; readonly lapsed: number }
}

export interface Answers {
  readonly sent: number
  readonly lost: number
  /** Of those that were answered. */
  readonly p99Ms: number
}

interface Call {
  readonly at: number
  readonly endedAt: number
  readonly ok: boolean
}

export interface Watch {
  /** Runs `work`, and returns the impact from its beginning to its end. */
  during(work: () => Promise<void>): Promise<NeighbourImpact>
  close(): void
}

/** Starts to probe from `from`, which takes no part in the attack, and to call the API. */
export async function startWatch(context: AttackContext, from: Place): Promise<Watch> {
  const pings = [
    newSeries('packets', 'neighbour', []),
    newSeries('packets', 'outside', []),
  ] as const
  const dns = newSeries('dns', 'dns', [])
  const dhcp = newSeries('dhcp', 'dhcp', [])
  const { neighbour } = context
  const names = [from, neighbour].map(({ id, ip }) => ({ name: `${id}.${ZONE}`, ip }))
  const probers: readonly Prober[] = [
    await startPings(pings[0], PING_EVERY_MS, from, neighbour.ip),
    await startPings(pings[1], PING_EVERY_MS, from, OUTSIDE_SERVER),
    await startDnsQueries(dns, DNS_EVERY_MS, from, GATEWAY, names),
    await startRenewals(dhcp, DHCP_EVERY_MS, from, GATEWAY),
  ]
  const api = watchApi(context, from)
  const lease = await watchLease(context)
  return {
    async during(work) {
      const began = performance.now()
      await work()
      const ended = performance.now()
      await delay(IN_FLIGHT_MS)
      const within = (at: number) => at >= began && at <= ended
      const series = (one: Series) => answers(one.sentAt, one.answeredAt, within)
      const pinged = pings.map(series)
      const apiCalls = api.calls.filter(({ at }) => within(at))
      return {
        packets: {
          sent: pinged.reduce((sum, { sent }) => sum + sent, 0),
          lost: pinged.reduce((sum, { lost }) => sum + lost, 0),
        },
        dns: series(dns),
        dhcp: series(dhcp),
        api: answers(
          apiCalls.map(({ at }) => at),
          apiCalls.map(({ endedAt, ok }) => (ok ? endedAt : Number.NaN)),
          within,
        ),
        lease: lease.between(began, ended),
      }
    },
    close() {
      for (const prober of probers) prober.close()
      lease.close()
      api.close()
    },
  }
}

/** The probes that were sent while `within` was true. */
function answers(
  sentAt: readonly number[],
  answeredAt: readonly number[],
  within: (at: number) => boolean,
): Answers {
  const times = sentAt.flatMap((at, index) =>
    within(at) ? [(answeredAt[index] ?? Number.NaN) - at] : [],
  )
  const answered = times.filter((time) => !Number.isNaN(time)).toSorted((a, b) => a - b)
  const p99Ms = answered[Math.min(answered.length - 1, Math.floor(answered.length * SHARE))] ?? 0
  return { sent: times.length, lost: times.length - answered.length, p99Ms }
}

/** Calls of a client in its own process, which ends when its output is closed. */
function watchApi({ lab, host }: AttackContext, from: Place) {
  const calls: Call[] = []
  const argv = [API_WATCH, lab.name, host.name, from.id]
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] })
  createInterface(child.stdout).on('line', (line) => {
    const [at = 0, endedAt = 0] = line.split(' ').map((one) => Number(one) - performance.timeOrigin)
    calls.push({ at, endedAt, ok: line.endsWith('true') })
  })
  return { calls, close: () => child.kill('SIGKILL') }
}

/**
 * Reads the daemon's metric on the host. A daemon that does not answer does not count, because its
 * lease may be valid.
 */
async function watchLease({ host }: AttackContext): Promise<{
  between(from: number, to: number): NeighbourImpact['lease']
  close(): void
}> {
  // Whoever has nobody left to tell ends at the echo.
  const line = `while echo; do curl -s -m 2 http://127.0.0.1:9773/metrics | grep '^atoll_lease_held '; sleep ${LEASE_EVERY_SECONDS}; done`
  const [program = '', ...args] = await host.command(['sh', '-c', line])
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'] })
  const looks: { readonly at: number; readonly held: boolean }[] = []
  child.stdout.on('data', (chunk: Buffer) => {
    for (const text of chunk.toString('utf8').split('\n'))
      if (text !== '') looks.push({ at: performance.now(), held: text.endsWith(' 1') })
  })
  return {
    between(from, to) {
      const chosen = looks.filter(({ at }) => at >= from && at <= to)
      return { looks: chosen.length, lapsed: chosen.filter(({ held }) => !held).length }
    },
    close: () => child.kill('SIGKILL'),
  }
}
