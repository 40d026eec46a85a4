/**
 * The size of what all NICs share in the kernel: connections, fragments, neighbours (Linux,
 * Documentation/networking/ip-sysctl.rst and nf_conntrack-sysctl.rst).
 *
 * Settings only grow, except for the time that fragments wait. Some can be changed in the machine's
 * first network namespace only, and some nowhere: then things stay as they are, and the budgets of
 * NICs go by what there is (`plan/budgets.ts`).
 */

import { errnoOf } from '../../lib/errno.ts'
import { MIB } from '../../model/sizes.ts'
import type { SharedTables } from '../host.ts'
import { readSetting, writeSetting } from './sysctl.ts'

const CONNECTIONS = 'netfilter/nf_conntrack_max'
/**
 * Lists of the connection table: as the kernel does by itself for small tables, one for a few
 * entries.
 */
const CONNECTION_LISTS = 'netfilter/nf_conntrack_buckets'
const CONNECTIONS_PER_LIST = 4
/** Linux's own for a machine of 4 GiB and more; no machine gets less. */
const LEAST_CONNECTIONS = 262_144
/** How long an incomplete datagram is kept. A NIC within its budget holds 7 MiB of them at most. */
const FRAGMENT_SECONDS = 10
const FRAGMENT_BYTES = 64 * MIB
/** Entries that come and go by themselves; those of NICs are permanent and do not count. */
const NEIGHBOURS = { gc_thresh1: 1024, gc_thresh2: 4096, gc_thresh3: 8192 }

/** As `Host.ensureSharedTables`. A value that the kernel does not take is left alone. */
export function ensureSharedTables(connections: number): SharedTables {
  const wanted = Math.max(connections, LEAST_CONNECTIONS)
  const changed = [
    atLeast(CONNECTIONS, wanted),
    atLeast(CONNECTION_LISTS, Math.ceil(wanted / CONNECTIONS_PER_LIST)),
    atLeast('ipv4/ipfrag_high_thresh', FRAGMENT_BYTES),
    atMost('ipv4/ipfrag_time', FRAGMENT_SECONDS),
    ...Object.entries(NEIGHBOURS).map(([name, value]) =>
      atLeast(`ipv4/neigh/default/${name}`, value),
    ),
  ].flatMap((name) => name ?? [])
  // Without the module there is no table yet: it will have the size that Linux gives it.
  return {
    connections: settingNumber(CONNECTIONS) ?? LEAST_CONNECTIONS,
    entries: settingNumber('netfilter/nf_conntrack_count') ?? 0,
    changed,
  }
}

function atLeast(name: string, value: number): string | null {
  const have = settingNumber(name)
  return have !== null && have < value ? attempt(name, value) : null
}

function atMost(name: string, value: number): string | null {
  const have = settingNumber(name)
  return have !== null && have > value ? attempt(name, value) : null
}

function attempt(name: string, value: number): string | null {
  try {
    writeSetting(name, String(value))
    return name
  } catch (error) {
    if (REFUSALS.has(errnoOf(error) ?? '')) return null
    throw error
  }
}

/** Read-only here, or out of the range that this kernel takes. */
const REFUSALS: ReadonlySet<string> = new Set(['EACCES', 'EPERM', 'EROFS', 'EINVAL', 'ENOMEM'])

function settingNumber(name: string): number | null {
  const value = Number(readSetting(name) ?? Number.NaN)
  return Number.isSafeInteger(value) ? value : null
}
