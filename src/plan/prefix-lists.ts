/** Rules of security groups that name prefix lists. Pure. */
import { parseNetwork, type RulePeer } from '../model/group-rule.ts'
import type { PrefixListId } from '../model/ids.ts'
import type { PrefixListEntry } from '../model/prefix-list.ts'
import type { EnforcedRule, GroupRule } from '../model/records.ts'

/** The rules as hosts enforce them. One that names a list is one for each of its networks. */
export function enforcedRules(
  rules: readonly GroupRule[],
  entries: readonly PrefixListEntry[] = [],
): readonly EnforcedRule[] {
  if (rules.every(isEnforced)) return rules
  const networks = Map.groupBy(entries, ({ list }) => list)
  return rules.flatMap((rule): EnforcedRule | EnforcedRule[] => {
    const { peer } = rule
    if (peer.kind !== 'list') return { ...rule, peer }
    return (networks.get(peer.list) ?? []).flatMap(({ cidr }) => {
      const network = parseNetwork(cidr)
      return network === undefined ? [] : { ...rule, peer: network }
    })
  })
}

function isEnforced(rule: GroupRule): rule is EnforcedRule {
  return rule.peer.kind !== 'list'
}

/** The lists that these rules name, each once. */
export function namedLists(
  rules: readonly { readonly peer: RulePeer | { readonly kind: 'named' } }[],
): readonly PrefixListId[] {
  return [...new Set(rules.flatMap(({ peer }) => (peer.kind === 'list' ? peer.list : [])))]
}
