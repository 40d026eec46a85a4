/**
 * Sizes of what all NICs share in the kernel: connections, fragments, neighbours (Linux,
 * Documentation/networking/ip-sysctl.rst and nf_conntrack-sysctl.rst).
 *
 * Values only grow, except the time that fragments are kept. Some can be changed only in the
 * machine's first network namespace, and some nowhere. Then they stay, and the budgets of NICs
 * follow the actual sizes (`plan/budgets.ts`).
 */

import { errnoOf } from '../../lib/errno.ts'
import { MIB } from '../../model/sizes.ts'
import type { SharedTables } from '../host.ts'
import { readSetting, writeSetting } from './sysctl.ts'

const CONNECTIONS = 'netfilter/nf_conntrack_max'
/**
 * Buckets of the connection table: one for a few entries, as the kernel itself chooses for small
 * tables.
 */
const CONNECTION_LISTS = 'netfilter/nf_conntrack_buckets'
const CONNECTIONS_PER_LIST = 4
/** Linux's default for a machine with at least 4 GiB. No machine gets less. */
const LEAST_CONNECTIONS = 262_144
/** How long an incomplete datagram is kept. A NIC within its budget holds at most 7 MiB of them. */
const FRAGMENT_SECONDS = 10
const FRAGMENT_BYTES = 64 * MIB
/** Dynamic entries only. Those of NICs are permanent and do not count. */
const NEIGHBOURS = { gc_thresh1: 1024, gc_thresh2: 4096, gc_thresh3: 8192 }

/** Like `Host.ensureSharedTables`. A value that the kernel refuses is left alone. */
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
  // Without the module there is no table yet. It will have Linux's default size.
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

/** Read-only here, or outside this kernel's range. */
const REFUSALS: ReadonlySet<string> = new Set(['EACCES', 'EPERM', 'EROFS', 'EINVAL', 'ENOMEM'])

function settingNumber(name: string): number | null {
  const value = Number(readSetting(name) ?? Number.NaN)
  return Number.isSafeInteger(value) ? value : null
}
