/** Processor time of the daemons, as the kernel counts it. */
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { statFields } from '../../src/host/processes/stat.ts'
import type { Lab } from '../lab/lab.ts'
import { rootOf } from './host-state.ts'

/** USER_HZ, in which proc(5) counts. */
const TICKS_PER_SECOND = 100

/**
 * The largest share of one core that an atolld of these hosts takes over `ms` milliseconds, in
 * percent.
 */
export async function cpuShare(lab: Lab, hosts: readonly string[], ms: number): Promise<number> {
  const before = await Promise.all(hosts.map((host) => ticksOf(lab, host)))
  const began = performance.now()
  await delay(ms)
  const seconds = (performance.now() - began) / 1000
  const after = await Promise.all(hosts.map((host) => ticksOf(lab, host)))
  const shares = after.map((ticks, i) => (ticks - (before[i] ?? 0)) / TICKS_PER_SECOND / seconds)
  return Math.max(...shares) * 100
}

async function ticksOf(lab: Lab, host: string): Promise<number> {
  const pid = await lab.host(host).service('atolld').pid()
  const stat = await readFile(`${await rootOf(lab, host)}/proc/${pid}/stat`, 'utf8')
  const fields = statFields(stat)
  // utime and stime are fields 14 and 15.
  return Number(fields[11]) + Number(fields[12])
}
