/** Check of `atoll doctor`: the storage that this host shares with others. Changes nothing. */
import { z } from 'zod'
import type { Config } from '../config.ts'
import { readAdmin } from './admin-client.ts'
import { type CheckResult, ok, warn } from './doctor-check.ts'

/** What is needed of the rows of `atoll hosts`. */
const reported = z.array(z.object({ name: z.string(), storage: z.string().nullish() }))

/** Reads what the daemon that runs here has found. */
export async function checkStorage({
  storage,
  host,
  runtimeDir,
}: Pick<Config, 'storage' | 'host' | 'runtimeDir'>): Promise<CheckResult> {
  const { path } = storage.shared
  if (path === null) return ok('none (storage.shared.path)')
  const answer = await readAdmin(runtimeDir, '/v1/hosts').catch(() => null)
  return judgeStorage(path, host.name, reported.safeParse(answer).data ?? null)
}

/** The result for these hosts; null: no daemon answers here. */
export function judgeStorage(
  path: string,
  self: string,
  hosts: z.output<typeof reported> | null,
): CheckResult {
  if (hosts === null) return ok(`${path}: not known: atolld is not running here`)
  const id = hosts.find(({ name }) => name === self)?.storage ?? null
  if (id === null)
    return warn(
      `${path} is not the storage of this cloud now: no machine with a disk there can be started here`,
      'mount it; if it is new, run atoll storage init once. The log of atolld says what is wrong (journalctl -u atolld)',
    )
  const others = hosts.filter(({ name, storage }) => name !== self && storage === id)
  const names = others.map(({ name }) => name).join(', ')
  return ok(`${path} is ${id}, which ${names === '' ? 'no other host' : names} reaches, too`)
}
