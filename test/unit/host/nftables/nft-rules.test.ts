/**
 * What rules of nftables do to instances; real ones are judged by real packets in
 * test/attack/foreign-rules.test.ts.
 */
import { expect, test } from 'vitest'
import { parseNftRules } from '../../../../src/host/nftables/nft-rules.ts'
import { cidr } from '../../../../src/model/addr.ts'
import {
  explainBlockingChain,
  findBlockingChains,
  probeAddresses,
} from '../../../../src/model/foreign-rules.ts'

const places = probeAddresses(cidr('172.31.0.0/16'), { hasPeers: false })
const chain = (name: string, hook: string, policy: string, family = 'inet') => ({
  chain: { family, table: 'f', name, hook, type: 'filter', policy },
})
const rule = (name: string, ...expr: readonly object[]) => ({
  rule: { family: 'inet', table: 'f', chain: name, handle: 7, expr },
})
const match = (left: object, right: unknown, op = '==') => ({ match: { op, left, right } })
const DPORT = { payload: { protocol: 'udp', field: 'dport' } }
const DROP = { drop: null }
const losses = (...nftables: readonly object[]) =>
  findBlockingChains(parseNftRules({ nftables }), places).flatMap(({ loses }) => loses)
const INPUT = chain('i', 'input', 'accept')

test('a policy, or a last rule that rejects, takes everything', () => {
  const all = ['DHCP', 'DNS', 'DNS by TCP', 'metadata', 'ping of the gateway']
  expect(losses(chain('i', 'input', 'drop'))).toEqual(all)
  expect(losses(INPUT, rule('i', { counter: {} }, { log: null }, { reject: null }))).toEqual(all)
  expect(losses(chain('i', 'input', 'drop', 'ip6'))).toEqual([])
})

test.each([
  ['ports in a range', [match(DPORT, { set: [{ range: [60, 70] }] }), DROP], ['DHCP']],
  ['a comparison', [match(DPORT, 60, '<'), DROP], ['DNS']],
  ['a set by name', [match(DPORT, '@s'), DROP], ['DNS']],
  ['a set that is not there', [match(DPORT, '@t'), DROP], []],
  ['the broadcast', [match({ meta: { key: 'pkttype' } }, 'broadcast'), DROP], ['DHCP']],
  ['by number', [match({ meta: { key: 'l4proto' } }, 1), DROP], ['ping of the gateway']],
  [
    'another header, by !=',
    [match({ payload: { protocol: 'icmpv6', field: 'type' } }, 1, '!='), DROP],
    [],
  ],
  ['a mark', [match({ meta: { key: 'mark' } }, 0), DROP], []],
  ['at a rate', [{ limit: { rate: 1, per: 'second' } }, DROP], []],
  ['a statement of tomorrow', [{ tomorrow: {} }, DROP], []],
  ['a match without sides', [{ match: {} }, DROP], []],
  ['a program decides', [{ queue: {} }, DROP], []],
])('%s', (_what, expr, lost) => {
  const set = { set: { family: 'inet', table: 'f', name: 's', elem: [{ elem: { val: 53 } }] } }
  expect(losses(INPUT, set, rule('i', ...expr))).toEqual(lost)
})

test('what drops only packets of links to peered VPCs is told where there are some', () => {
  const side = (key: string) => match({ meta: { key } }, 'at-p-*')
  const chains = (key: string) =>
    parseNftRules({
      nftables: [chain('f', 'forward', 'accept'), rule('f', side(key), DROP)],
    })
  const peered = probeAddresses(cidr('172.31.0.0/16'), { hasPeers: false, isPeered: true })
  for (const [key, lost] of [
    ['iifname', 'what instances of peered VPCs send'],
    ['oifname', 'what instances send to peered VPCs'],
  ] as const) {
    expect(findBlockingChains(chains(key), places)).toEqual([])
    const [found] = findBlockingChains(chains(key), peered)
    expect(found).toMatchObject({ loses: [lost], isVital: true })
    expect(found && explainBlockingChain(found).fix).toContain(
      'nft insert rule inet f f iifname \'"at-p-*"\' accept',
    )
  }
})

test('what drops only packets that are carried for other hosts is told where some are', () => {
  const side = (key: string) => match({ meta: { key } }, 'at-fabric')
  const carrying = probeAddresses(cidr('172.31.0.0/16'), { hasPeers: false, isCarrying: true })
  for (const [key, lost] of [
    ['iifname', 'what instances on other hosts send out by a NAT gateway'],
    ['oifname', 'what the internet answers instances on other hosts'],
  ] as const) {
    const rules = [chain('f', 'forward', 'accept'), rule('f', side(key), DROP)]
    const chains = parseNftRules({ nftables: rules })
    expect(findBlockingChains(chains, places)).toEqual([])
    const [found] = findBlockingChains(chains, carrying)
    expect(found).toMatchObject({ loses: [lost], isVital: true })
    expect(found && explainBlockingChain(found).fix).toContain('"at-fabric*"')
  }
})

test('jumps are followed and come back, gotos do not, and a circle ends', () => {
  const jump = (kind: string, target: string) => ({ [kind]: { target } })
  const j = { chain: { family: 'inet', table: 'f', name: 'j' } }
  const back = rule('j', { return: null })
  expect(losses(INPUT, j, back, rule('i', jump('jump', 'j')), rule('i', DROP))).toHaveLength(5)
  expect(losses(INPUT, j, back, rule('i', jump('goto', 'j')), rule('i', DROP))).toEqual([])
  expect(losses(INPUT, j, rule('i', jump('jump', 'j')), rule('j', jump('jump', 'j')))).toEqual([])
})

test.each([
  [null],
  ['text'],
  [{ nftables: 3 }],
  [{ nftables: [{ rule: 3 }, { chain: null }, {}] }],
])('nothing in %j', (listing) => expect(parseNftRules(listing)).toEqual([]))
