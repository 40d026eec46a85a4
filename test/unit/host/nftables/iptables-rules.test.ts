/**
 * What `iptables-save` tells of instances; real rules are judged by real packets in
 * test/attack/foreign-rules.test.ts.
 */
import { expect, test } from 'vitest'
import { parseIptables } from '../../../../src/host/nftables/iptables-rules.ts'
import { cidr } from '../../../../src/model/addr.ts'
import {
  explainBlockingChain,
  findBlockingChains,
  probeAddresses,
} from '../../../../src/model/foreign-rules.ts'

const places = probeAddresses(cidr('172.31.0.0/16'), true)
const look = (text: string) => findBlockingChains(parseIptables(text, 'iptables-legacy'), places)
const filter = (...lines: readonly string[]) =>
  [
    '*filter',
    ':INPUT ACCEPT [0:0]',
    ':FORWARD ACCEPT [1:2]',
    ':c - [0:0]',
    ...lines,
    'COMMIT',
  ].join('\n')

test.each([
  ['-A INPUT -p udp -m udp --dport 53 -j DROP', ['DNS']],
  [
    '-A INPUT -p udp -m multiport --dports 1:52,67 -j REJECT --reject-with icmp-port-unreachable',
    ['DHCP'],
  ],
  ['-A INPUT ! -s 172.31.0.0/16 -j DROP', ['DHCP']],
  ['-A INPUT -p icmp -m icmp --icmp-type 8 -j DROP', ['ping of the gateway']],
  [
    '-A INPUT -m comment --comment "a \\"word\\" -j ACCEPT" -p udp -m udp --dport 67 -j DROP',
    ['DHCP'],
  ],
  ['-A INPUT -m addrtype --dst-type BROADCAST -j DROP', ['DHCP']],
  ['-A INPUT ! -i at-h+ -j DROP', []],
  ['-A INPUT -m limit --limit 5/min -j DROP', []],
  ['-A INPUT -m owner ! --uid-owner 0 -j DROP', []],
  ['-A INPUT -m conntrack --ctstate NEW,INVALID -j DROP', []],
  ['-A INPUT -p udp -j LOG --log-prefix "x -j DROP "', []],
  ['-A INPUT -j c\n-A c -p udp -j RETURN\n-A c -p tcp -j DROP', ['DNS by TCP', 'metadata']],
  ['-A INPUT', []],
])('%s', (rules, lost) => {
  expect(look(filter(rules)).flatMap(({ loses }) => loses)).toEqual(lost)
})

test('the advice is for the program and the ways that are shut', () => {
  const [found] = look(filter(':FORWARD DROP [0:0]'))
  expect(found === undefined ? null : explainBlockingChain(found)).toMatchObject({
    fix: 'iptables-legacy -t filter -I FORWARD -i at-h+ -j ACCEPT; iptables-legacy -t filter -I FORWARD -o at-h+ -j ACCEPT; and the same in what loads these rules',
  })
})

test("Docker's own policy is none: it lets us through by DOCKER-USER", () => {
  const docker = filter(':FORWARD DROP [0:0]', ':DOCKER-USER - [0:0]', '-A FORWARD -j DOCKER-USER')
  expect(look(docker)).toEqual([])
})

test('nat drops nothing, and what is no rule is none', () => {
  expect(look('*nat\n:PREROUTING DROP [0:0]\n-A PREROUTING -j DROP\nCOMMIT')).toEqual([])
  expect(look('-A INPUT -j DROP\n:\n*\nrubbish')).toEqual([])
})
