/**
 * Applies nftables scripts with the nft program, each as one transaction.
 *
 * The kernel's interface would require compiling rules to its virtual machine. `nft -f` is the
 * documented way to replace a whole table atomically (nft(8)). It takes one process for each
 * change; callers only call it for a change.
 */
import type { Runner, RunResult } from '../../lib/runner.ts'
import { unavailable } from '../../model/errors.ts'
import { nftObjects } from './nft-listing.ts'

/** nft can report an error for every line of a script. */
const MESSAGE_LIMIT_CHARS = 2_000
/**
 * nft takes some milliseconds (docs/what-happens-when.md), and half a second for the rules of 5,000
 * NICs, about 2 MB. If it is killed before it is done, nothing has changed.
 */
const TIMEOUT_MS = 3_000
const TIMEOUT_MS_PER_BYTE = 3_000 / 1_000_000
/**
 * The timeout is doubled each time that it was too short, up to this factor: the machine may be
 * slow.
 */
const MAX_TIMEOUT_FACTOR = 8

/** The nftables rules of this namespace. */
export interface Nft {
  /**
   * Applies the script as one transaction. Rejects with `unavailable` and nft's message; then
   * nothing has changed.
   */
  apply(script: string): Promise<void>
  /** The table as `nft -j` prints it. Null if it does not exist. */
  list(family: string, table: string): Promise<string | null>
  /** The rules of a table as nft prints them, by `CHAIN HANDLE`. Empty if it does not exist. */
  ruleTexts(family: string, table: string): Promise<ReadonlyMap<string, string>>
  /** Removes a table. Does nothing if it does not exist. */
  remove(family: string, table: string): Promise<void>
  /** Family and name of every table. */
  tables(): Promise<readonly { readonly family: string; readonly name: string }[]>
}

/** `run` starts nft. */
export function createNft(run: Runner): Nft {
  let patience = 1
  const nft = async (args: readonly string[], stdin = ''): Promise<RunResult> => {
    try {
      const timeoutMs = (TIMEOUT_MS + stdin.length * TIMEOUT_MS_PER_BYTE) * patience
      const result = await run('nft', args, { stdin, timeoutMs })
      patience = result.stoppedBy === 'timeout' ? Math.min(MAX_TIMEOUT_FACTOR, patience * 2) : 1
      return result
    } catch (cause) {
      throw unavailable('nft cannot be started: is the package nftables installed?', cause)
    }
  }
  const apply = async (script: string) => {
    const result = await nft(['-f', '-'], script)
    if (result.exitCode !== 0) throw unavailable('nft refused the rules', failure(result))
  }
  const tables = async () => {
    const result = await nft(['-j', 'list', 'tables'])
    if (result.exitCode !== 0) throw unavailable('nft cannot list tables', failure(result))
    return parseTables(result.stdout)
  }

  return {
    apply,
    tables,
    list: async (family, table) => {
      const result = await nft(['-j', 'list', 'table', family, table])
      if (result.exitCode === 0) return result.stdout
      // nft has one exit code for all failures, so this checks separately whether the table exists.
      const known = await tables()
      if (!known.some((each) => each.family === family && each.name === table)) return null
      throw unavailable('nft cannot list a table', failure(result))
    },
    ruleTexts: async (family, table) => {
      const result = await nft(['-a', '-s', 'list', 'table', family, table])
      return result.exitCode === 0 ? rulesIn(result.stdout) : new Map()
    },
    // Adding the table first makes the deletion succeed even if it did not exist (nft(8); "destroy"
    // is newer).
    remove: (family, table) =>
      apply(`add table ${family} ${table}\ndelete table ${family} ${table}\n`),
  }
}

/**
 * The rules in what `nft -a list table` prints, by `CHAIN HANDLE`. Other objects have handles, too,
 * but end with a brace.
 */
export function rulesIn(listing: string): ReadonlyMap<string, string> {
  const rules = new Map<string, string>()
  let chain = ''
  for (const line of listing.split('\n')) {
    const [, text, handle] = /^\s*(.*\S) # handle (\d+)$/.exec(line) ?? []
    if (text === undefined) continue
    const [, begun] = /^chain (\S+) \{$/.exec(text) ?? []
    if (begun !== undefined) chain = begun
    else if (!text.endsWith('{')) rules.set(`${chain} ${handle}`, text)
  }
  return rules
}

function failure({ exitCode, stoppedBy, stderr }: RunResult): Error {
  const reason = stoppedBy === null ? `exit code ${exitCode}` : stoppedBy
  return new Error(`nft: ${reason}: ${stderr.slice(0, MESSAGE_LIMIT_CHARS)}`)
}

function parseTables(json: string): { family: string; name: string }[] {
  const listing: unknown = JSON.parse(json)
  return nftObjects(listing).flatMap((object) => {
    const table = object['table']
    if (typeof table !== 'object' || table === null) return []
    if (!('family' in table) || !('name' in table)) return []
    return [{ family: String(table.family), name: String(table.name) }]
  })
}
