/**
 * The rules in the kernel: loaded once, changed in place from then on, and replaced when somebody
 * else has changed them.
 *
 * In place, a change costs what it is worth, whatever is there already, and counters go on. The
 * kernel's generation of rules tells that nobody else has changed anything. It is read over netlink
 * in each pass. The rules themselves are listed by nft, so only where others change rules, too: in
 * the machine's own namespace, once after each change of ours, and when the generation does not
 * tell.
 */
import { createHash } from 'node:crypto'
import type { NamespaceHost as Host } from '../../host/host.ts'
import { tableFingerprint } from '../../host/nftables/nft-listing.ts'
import type { Metrics } from '../../lib/metrics.ts'
import { type CounterValues, counterKey } from '../../model/counters.ts'
import { NFT_TABLE } from '../../model/names.ts'
import { BUDGET_TABLES, loadBudgets, removeBudgets } from '../../plan/budgets.ts'
import { type NftTable, updateScript } from '../../plan/nft-tables.ts'
import {
  changeScript,
  loadScript,
  RECREATE_GUARD,
  RULESET_TABLES,
  type Ruleset,
} from '../../plan/ruleset.ts'
import type { Pass } from '../service.ts'

/** All tables that the firewall makes. */
export const TABLES = [...RULESET_TABLES, ...BUDGET_TABLES]
/** The table with the mark. */
const MARKED_TABLE = { family: 'inet', name: NFT_TABLE } as const
/** The same, as `Host.rulesChanged` names them. */
const TABLE_NAMES = TABLES.map(({ family, name }) => `${family} ${name}`)
/**
 * While others keep changing rules, we cannot tell which change of the generation is ours. After
 * this many attempts the next pass verifies the tables.
 */
const LOAD_ATTEMPTS = 3

/** The rules in the kernel, as we loaded them. Losing this costs one replacement of the tables. */
interface Loaded {
  readonly rules: Rules
  /** The name of the counter that says so (`markOf`); null: there is none. */
  readonly mark: string | null
  /** The kernel's rule generation when the rules were loaded or last found intact. */
  generation: number
  /** Fingerprint of the tables as the kernel lists them; null until they have been listed. */
  fingerprint: string | null
}

/**
 * Runs `work`, which makes new tables that begin with what all counters have counted. Nobody reads
 * counters meanwhile: what had counted on until then would be behind what is known of it, as if
 * somebody had set it to zero.
 */
export type Replacing = <T>(work: (counted: CounterValues) => Promise<T>) => Promise<T>

interface Loading {
  readonly replacing: Replacing
  /** Whether others change rules in this namespace, too. */
  readonly isShared: boolean
}

/** All tables of a host. */
export interface Rules {
  readonly ruleset: Ruleset
  readonly budgets: readonly NftTable[]
}

function loadingScript({ ruleset, budgets }: Rules, counted: CounterValues): string {
  return loadScript(ruleset, counted) + loadBudgets(budgets, counted)
}

/** The script that changes the rules in place; empty: they are the same; null: there is none. */
function changingScript(before: Rules, now: Rules): string | null {
  const changes = changeScript(before.ruleset, now.ruleset)
  const ofBudgets = updateScript(before.budgets, now.budgets)
  if (changes === null || ofBudgets === null) return null
  return changes + ofBudgets.map((line) => `${line}\n`).join('')
}

/**
 * A function that makes the rules in the kernel equal to those that it is given. `replacing` gives
 * what counters have counted, with which they go on in new tables; `isShared`: others change rules
 * in this namespace, too. It returns whether somebody had altered those that it had loaded. Errors:
 * `unavailable`; then the kernel has the rules of before.
 */
export function createRules(
  host: Host,
  metrics: Metrics,
  { replacing, isShared }: Loading,
): (rules: Rules, pass: Pass) => Promise<boolean> {
  const { replacements, updates, drift } = createCounters(metrics)
  const { markFor, loadAll, recognise, intact } = createLoader(host, { replacing, isShared })
  let loaded: Loaded | null = null
  let isFresh = true

  const load = async (rules: Rules): Promise<Loaded> => {
    loaded = await loadAll(rules, () => {
      loaded = null
    })
    replacements.inc()
    return loaded
  }
  const reload = async (known: Loaded, pass: Pass) => {
    drift.inc()
    pass.log.warn({}, 'firewall rules were changed from outside; replacing them')
    const fresh = await load(known.rules)
    // The same rules result in the same tables.
    fresh.fingerprint = known.fingerprint
    return fresh
  }
  /**
   * Compares the rules in the kernel with those that we loaded, and replaces altered ones. Returns
   * whether there may have been such.
   */
  const verify = async (known: Loaded, now: number, pass: Pass): Promise<boolean> => {
    const isIntact = await intact(known, now)
    if (isIntact === false) {
      await reload(known, pass)
      return true
    }
    const isKnown = known.fingerprint !== null || !isShared
    const goOn = () => {
      known.generation = now
      return false
    }
    if (isIntact && (isKnown || !pass.resync)) return goOn()
    const fingerprint = await fingerprintOf(host)
    if (fingerprint !== null && fingerprint === known.fingerprint) return goOn()
    // Nobody else has changed them, so this is what they look like.
    if (fingerprint !== null && known.fingerprint === null && isIntact) {
      known.fingerprint = fingerprint
      return goOn()
    }
    const isAltered = fingerprint === null || known.fingerprint !== null
    const fresh = isAltered ? await reload(known, pass) : await load(known.rules)
    fresh.fingerprint = await fingerprintOf(host)
    return true
  }
  const replace = async (rules: Rules, pass: Pass, isAltered = false) => {
    await load(rules)
    pass.log.info({}, 'firewall rules replaced')
    return isAltered
  }

  return async (rules, pass) => {
    const now = await host.rulesGeneration()
    if (isFresh) loaded = await recognise(rules, now)
    isFresh = false
    if (loaded === null) return await replace(rules, pass)
    const known = loaded
    const script = changingScript(known.rules, rules)
    if (script === '') {
      return (known.generation !== now || pass.resync) && (await verify(known, now, pass))
    }
    if (!(await intact(known, now))) return await replace(rules, pass, true)
    if (script === null) return await replace(rules, pass)
    const mark = markFor(rules, now + 1)
    // Until the kernel has answered, nobody knows which rules it has.
    loaded = null
    try {
      await host.applyRules(script + changeMark(known.mark, mark))
    } catch (error) {
      pass.log.warn({ error }, 'firewall rules cannot be changed in place; replacing them')
      return await replace(rules, pass)
    }
    const generation = await host.rulesGeneration()
    // Somebody else changed rules at the same moment: that change would go unnoticed.
    if (generation !== now + 1) return await replace(rules, pass)
    updates.inc()
    loaded = { rules, mark, generation, fingerprint: null }
    pass.log.info({}, 'firewall rules changed')
    return false
  }
}

/** Loads all rules, or finds that they are there, and that they still are. */
function createLoader(host: Host, { replacing, isShared }: Loading) {
  const markFor = (rules: Rules, generation: number) =>
    isShared ? null : markOf(rules, generation)
  return {
    markFor,
    /** `begun` is called before the kernel is asked. */
    loadAll: (rules: Rules, begun: () => void): Promise<Loaded> =>
      replacing(async (counted) => {
        const script = loadingScript(rules, counted)
        begun()
        const loading = await applyAlone(host, (generation) => {
          const mark = markFor(rules, generation)
          return { mark, script: mark === null ? script : script + addMark(mark) }
        })
        return { rules, ...loading, fingerprint: null }
      }),
    /** What an older daemon has loaded, if it is this and nobody has changed anything since. */
    async recognise(rules: Rules, generation: number): Promise<Loaded | null> {
      const mark = markFor(rules, generation)
      if (mark === null) return null
      const isThere = await replacing(async (counted) =>
        counted.has(counterKey(MARKED_TABLE, mark)),
      )
      return isThere ? { rules, mark, generation, fingerprint: null } : null
    },
    /** Whether nobody has changed our tables since; null when that is not known. */
    async intact(known: Loaded, now: number): Promise<boolean | null> {
      if (known.generation === now) return true
      const changed = await host.rulesChanged(known.generation, now)
      return changed === null ? null : !TABLE_NAMES.some((table) => changed.has(table))
    },
  }
}

function createCounters(metrics: Metrics) {
  return {
    replacements: metrics.counter(
      'atoll_firewall_replacements_total',
      'Times the rules were replaced as a whole',
    ),
    updates: metrics.counter(
      'atoll_firewall_updates_total',
      'Times the rules were changed in place',
    ),
    drift: metrics.counter(
      'atoll_firewall_drift_total',
      'Times the rules in the kernel were found missing or altered',
    ),
  }
}

/**
 * The name of a counter that is put into a table with the rules: a digest of all of them, and the
 * generation that they make. While it is there and the generation is that, the kernel has these
 * rules and nobody has changed anything since. So a fresh daemon need not load them again, which
 * would take minutes with hundreds of VPCs.
 */
function markOf(rules: Rules, generation: number): string {
  const digest = createHash('sha256').update(loadingScript(rules, new Map())).digest('hex')
  return `rules_${digest}_${generation}`
}

function addMark(mark: string): string {
  return `add counter ${MARKED_TABLE.family} ${MARKED_TABLE.name} ${mark}\n`
}

function changeMark(before: string | null, now: string | null): string {
  if (before === null || now === null) return ''
  return `delete counter ${MARKED_TABLE.family} ${MARKED_TABLE.name} ${before}\n${addMark(now)}`
}

/**
 * Loads the script for the next generation, and returns the rule generation after it. Repeats when
 * somebody else changed rules at the same moment, because that change would go unnoticed.
 */
async function applyAlone(
  host: Host,
  scriptFor: (generation: number) => { readonly mark: string | null; readonly script: string },
): Promise<Pick<Loaded, 'mark' | 'generation'>> {
  for (let attempt = 1; ; attempt++) {
    const before = await host.rulesGeneration()
    const { mark, script } = scriptFor(before + 1)
    await applyScript(host, script)
    const generation = await host.rulesGeneration()
    if (generation === before + 1 || attempt === LOAD_ATTEMPTS) return { mark, generation }
  }
}

/**
 * Loads the script in one transaction. Tables that are updated in place may have parts that cannot
 * be changed so, such as the type of a set, if another version made them or somebody altered them.
 * Then the transaction deletes them first.
 */
async function applyScript(host: Host, script: string): Promise<void> {
  try {
    await host.applyRules(script)
  } catch {
    await host.applyRules(RECREATE_GUARD + removeBudgets() + script)
  }
}

/** The fingerprint of all our tables in the kernel, or null when one is missing. */
async function fingerprintOf(host: Host): Promise<string | null> {
  const listings = await Promise.all(TABLES.map(({ family, name }) => host.listTable(family, name)))
  const found = listings.filter((listing) => listing !== null)
  return found.length === listings.length ? found.map(tableFingerprint).join('-') : null
}
