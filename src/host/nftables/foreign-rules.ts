/**
 * Reads the rules of other firewalls in the calling process's network namespace: nftables, and both
 * kinds of iptables.
 */
import { readFile } from 'node:fs/promises'
import { hasCode } from '../../lib/errno.ts'
import type { Runner } from '../../lib/runner.ts'
import { unavailable } from '../../model/errors.ts'
import type { ForeignChain } from '../../model/foreign-rules.ts'
import { NFT_TABLE } from '../../model/names.ts'
import { parseIptables } from './iptables-rules.ts'
import { createNft } from './nft.ts'
import { parseNftRules } from './nft-rules.ts'

/** Tables of the old xtables; the kernel has the file only where it has those. */
const LEGACY_TABLES = '/proc/net/ip_tables_names'
/**
 * iptables-nft(8) writes into these; their rules are read by its own program, as nft shows half of
 * them as `xt` only.
 */
const IPTABLES_TABLES = new Set(['filter', 'mangle', 'raw', 'security', 'nat'])

/** Whether a table, as `inet atoll`, is somebody else's. */
export function isForeignTable(table: string): boolean {
  return table.split(' ')[1]?.startsWith(NFT_TABLE) !== true
}

/** Whether rules of iptables-legacy are there, of which nothing tells when they change. */
export async function hasLegacyRules(): Promise<boolean> {
  const tables = await readFile(LEGACY_TABLES, 'utf8').catch(() => '')
  return tables.trim() !== ''
}

/** Every filtering chain that is not ours. Errors: `unavailable`. */
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
  if (await hasLegacyRules()) chains.push(...((await save(run, 'iptables-legacy')) ?? []))
  return chains
}

/** Null: there is no such program, or it does not understand what others wrote into its tables. */
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
