/** What a rule that names a prefix list lets pass, and what becomes of it with damaged entries. */
import { expect, it } from 'vitest'
import { cidr, ipv4 } from '../../../src/model/addr.ts'
import type { PrefixListEntry } from '../../../src/model/prefix-list.ts'
import type { GroupRule } from '../../../src/model/records.ts'
import { groupPermissions, permittingRule } from '../../../src/plan/permits.ts'
import { enforcedRules, namedLists } from '../../../src/plan/prefix-lists.ts'
import { defaultRules, network, numbered } from '../../kit/records.ts'

const LIST = numbered('pl', 1)
const rule: GroupRule = {
  ...{ id: numbered('sgr', 7), group: network.group.id, vpc: network.vpc.id },
  ...{ account: network.vpc.account, egress: false, protocol: 6, fromPort: 22, toPort: 22 },
  ...{ peer: { kind: 'list', list: LIST }, description: '' },
}
const entry = (text: string, list = LIST): PrefixListEntry => ({
  ...{ list, cidr: text, description: '', addedIn: 1, removedIn: null },
})

it('is one rule for each network of its list, with its id', () => {
  const entries = [
    entry('192.0.2.0/24'),
    entry('2001:db8::/32'),
    entry('10.0.0.0/8', numbered('pl', 2)),
  ]
  const own = defaultRules(network.group)
  expect(enforcedRules([...own, rule], entries)).toEqual([
    ...own,
    { ...rule, peer: { kind: 'ipv4', cidr: cidr('192.0.2.0/24') } },
    { ...rule, peer: { kind: 'ipv6', cidr: '2001:db8::/32' } },
  ])
  expect(enforcedRules([...own, rule])).toEqual(own)
  expect(enforcedRules(own, entries)).toBe(own)
  expect(namedLists([...own, rule, rule])).toEqual([LIST])
})

it('lets in what comes from the list, and nothing else', () => {
  const rules = enforcedRules([rule], [entry('192.0.2.0/24'), entry('198.51.100.0/24')])
  const groups = groupPermissions([{ id: network.group.id, members: [], rules }])
  const passes = (source: string) =>
    permittingRule(
      { source: ipv4(source), destination: ipv4('172.31.0.9'), protocol: 6, port: 22, code: 0 },
      false,
      { groups: [{ id: network.group.id }] },
      groups,
    )?.rule.id
  expect(passes('192.0.2.1')).toBe(rule.id)
  expect(passes('198.51.100.1')).toBe(rule.id)
  expect(passes('203.0.113.1')).toBeUndefined()
})
