import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  parseServer,
  serversInResolvConf,
  usableServers,
} from '../../../../src/services/dns/servers.ts'

describe('serversInResolvConf', () => {
  it('takes the name servers in order and nothing else', () => {
    const text = [
      '# nameserver 192.0.2.9',
      'search example.com',
      'nameserver 192.0.2.1',
      ' nameserver\t2001:db8::1  # comment',
      'nameserver not-an-address',
      'nameserver',
      'nameserver 192.0.2.2',
    ].join('\n')
    expect(serversInResolvConf(text).map(({ address }) => address)).toEqual([
      '192.0.2.1',
      '2001:db8::1',
      '192.0.2.2',
    ])
  })

  it('takes any text', () => {
    fc.assert(fc.property(fc.string(), (text) => void serversInResolvConf(text)))
  })
})

describe('parseServer', () => {
  it.each([
    ['192.0.2.1', { address: '192.0.2.1', port: 53 }],
    ['192.0.2.1:5353', { address: '192.0.2.1', port: 5353 }],
    ['2001:db8::1', { address: '2001:db8::1', port: 53 }],
    ['[2001:db8::1]:5353', { address: '2001:db8::1', port: 5353 }],
    ['dns.example', undefined],
    ['192.0.2.1:0', undefined],
    ['192.0.2.1:65536', undefined],
    ['[192.0.2.1]:53', undefined],
    ['', undefined],
  ])('%s', (text, expected) => {
    expect(parseServer(text)).toEqual(expected)
  })
})

describe('usableServers', () => {
  const own = new Set(['172.31.0.1', '169.254.169.253'])
  const at = (address: string, port = 53) => ({ address, port })

  it('leaves out ourselves, but not another server on our address', () => {
    const servers = [
      at('172.31.0.1'),
      at('192.0.2.1'),
      at('172.31.0.1', 5353),
      at('169.254.169.253'),
    ]
    expect(usableServers(servers, own, 53)).toEqual([at('192.0.2.1'), at('172.31.0.1', 5353)])
  })

  it('names each once and not too many', () => {
    const many = Array.from({ length: 30 }, (_, index) => at(`192.0.2.${index % 15}`))
    const usable = usableServers(many, own, 53)
    expect(usable).toHaveLength(8)
    expect(usable[0]).toEqual(at('192.0.2.0'))
  })
})
