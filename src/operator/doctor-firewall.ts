/**
 * Which chain of another firewall stands in the instances' way: ufw, firewalld and their like drop
 * by policy what they do not know. Says what it found and changes nothing.
 */
import { nftObjects } from '../host/nftables/nft-listing.ts'
import { systemRunner } from '../lib/runner.ts'
import { NFT_TABLE, NIC_LINK_PREFIX } from '../model/names.ts'
import { fail, ok, type Verdict } from './verdict.ts'

const TIMEOUT_MS = 10_000
/** What a hook's drop takes from instances. */
const LOST: Readonly<Record<string, string>> = {
  prerouting: 'everything from instances',
  input: 'DHCP, DNS and metadata of instances',
  forward: 'what instances send to each other and to the world',
  output: 'the answers of DHCP, DNS and metadata',
}
/**
 * Docker's own forward chain lets us through by way of `DOCKER-USER`
 * (`host/nftables/docker-user.ts`).
 */
const DOCKER_CHAIN = 'DOCKER-USER'

/** One chain that drops, in nft's words, and what it drops. */
interface Obstacle {
  readonly chain: string
  readonly loses: string
}

/** Looks at all rules of nftables, iptables' among them. */
export async function checkForeignFirewall(): Promise<Verdict> {
  const nft = await systemRunner('nft', ['-j', 'list', 'ruleset'], { timeoutMs: TIMEOUT_MS })
  if (nft.exitCode !== 0) return fail(nft.stderr.trim(), 'is nftables installed?')
  const [first, ...more] = findObstacles(JSON.parse(nft.stdout))
  if (first === undefined) return ok('no other firewall drops packets of instances')
  const others = more.map(({ chain }) => chain).join(', ')
  return fail(
    `${first.chain} drops ${first.loses}${others === '' ? '' : `; so do ${others}`}`,
    `accept links ${NIC_LINK_PREFIX}+ there, as: ufw allow in on ${NIC_LINK_PREFIX}+, ufw route allow in on ${NIC_LINK_PREFIX}+; firewall-cmd --permanent --zone=trusted --add-interface=${NIC_LINK_PREFIX}+`,
  )
}

/**
 * Chains of a parsed `nft -j list ruleset` that drop at their end, by policy or by a last rule, and
 * speak of no link of ours. Pure.
 */
export function findObstacles(listing: unknown): readonly Obstacle[] {
  const objects = nftObjects(listing)
  const chains = objects.flatMap(({ chain }) => (isRecord(chain) ? [chain] : []))
  const rules = objects.flatMap(({ rule }) => (isRecord(rule) ? [rule] : []))
  const speaksOfUs = (family: unknown, table: unknown, hook: unknown) =>
    rules.some((rule) => {
      if (rule['family'] !== family || rule['table'] !== table) return false
      if (rule['chain'] === DOCKER_CHAIN) return hook === 'forward'
      return JSON.stringify(rule).includes(`"${NIC_LINK_PREFIX}`)
    })
  return chains.flatMap(({ family, table, name, hook, policy }) => {
    const loses = LOST[String(hook)]
    if (loses === undefined || String(table).startsWith(NFT_TABLE)) return []
    if (family !== 'ip' && family !== 'inet') return []
    const own = rules.filter(
      (rule) => rule['family'] === family && rule['table'] === table && rule['chain'] === name,
    )
    if (policy !== 'drop' && !endsInDrop(own.at(-1))) return []
    return speaksOfUs(family, table, hook) ? [] : [{ chain: `${family} ${table} ${name}`, loses }]
  })
}

/** Whether a rule drops or rejects whatever comes to it. */
function endsInDrop(rule: Readonly<Record<string, unknown>> | undefined): boolean {
  const parts = rule?.['expr']
  if (!Array.isArray(parts)) return false
  const plain = parts.filter((part) => !isRecord(part) || !('counter' in part || 'log' in part))
  const [only, ...rest] = plain
  return rest.length === 0 && isRecord(only) && ('drop' in only || 'reject' in only)
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
