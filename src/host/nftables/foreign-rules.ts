/**
 * Reads the rules of other firewalls in a network namespace: nftables, and both kinds of iptables.
 */
import { readFileSync } from 'node:fs'
import { hasCode } from '../../lib/errno.ts'
import type { Runner } from '../../lib/runner.ts'
import { unavailable } from '../../model/errors.ts'
import type { ForeignChain } from '../../model/foreign-rules.ts'
import { NFT_TABLE } from '../../model/names.ts'
import { parseIptables } from './iptables-rules.ts'
import { createNft } from './nft.ts'
import { parseNftRules } from './nft-rules.ts'

/** Tables of xtables. The file exists only if the kernel has such tables. */
const LEGACY_TABLES = '/proc/thread-self/net/ip_tables_names'
/**
 * iptables-nft(8) writes to these tables. Its own program reads them, because nft shows many of
 * their rules only as `xt`.
 */
const IPTABLES_TABLES = new Set(['filter', 'mangle', 'raw', 'security', 'nat'])

/** Whether a table, such as `inet atoll`, belongs to another program. */
export function isForeignTable(table: string): boolean {
  return table.split(' ')[1]?.startsWith(NFT_TABLE) !== true
}

/**
 * Whether iptables-legacy has rules, in the calling thread's network namespace. The kernel does not
 * announce their changes.
 */
export function hasLegacyRules(): boolean {
  try {
    return readFileSync(LEGACY_TABLES, 'utf8').trim() !== ''
  } catch {
    return false
  }
}

/** All filtering chains of others, in the network namespace of `run`. Errors: `unavailable`. */
export async function readForeignRules(run: Runner): Promise<readonly ForeignChain[]> {
  const nft = createNft(run)
  const tables = (await nft.tables()).filter(
    ({ family, name }) => (family === 'ip' || family === 'inet') && !name.startsWith(NFT_TABLE),
  )
  const isIptables = ({ family, name }: (typeof tables)[number]) =>
    family === 'ip' && IPTABLES_TABLES.has(name)
  const saved = tables.some(isIptables) ? await save(run, 'iptables-nft') : []
  const chains: ForeignChain[] = [...(saved ?? [])]
  for (const table of tables) {
    if (saved !== null && isIptables(table)) continue
    const text = await nft.list(table.family, table.name)
    if (text !== null) chains.push(...parseNftRules(JSON.parse(text)))
  }
  const legacy = await run('cat', [LEGACY_TABLES])
  if (legacy.stdout.trim() !== '') chains.push(...((await save(run, 'iptables-legacy')) ?? []))
  return chains
}

/** Null: the program is missing, or does not understand what others wrote into its tables. */
async function save(run: Runner, program: string): Promise<readonly ForeignChain[] | null> {
  try {
    const { exitCode, stdout } = await run(`${program}-save`, [])
    if (exitCode !== 0 || /^# Table `\S+' is incompatible/m.test(stdout)) return null
    return parseIptables(stdout, program)
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null
    throw unavailable(`${program}-save cannot be started`, error)
  }
}
