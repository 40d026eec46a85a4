import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  cidrContains,
  cidrSize,
  type Ipv4,
  ipv4,
  ipv4FromNumber,
} from '../../../../src/model/addr.ts'
import { keyOf, TYPE } from '../../../../src/services/dns/packet.ts'
import { reverseName, reverseZones } from '../../../../src/services/dns/reverse-names.ts'
import { authorityOf, nameExists, recordsOf } from '../../../../src/services/dns/zone.ts'
import { sampleZone, ZONE, zoneOf } from './arbitraries.ts'

const settings = {
  zone: 'atoll.internal',
  ttlSeconds: 30,
  negativeTtlSeconds: 5,
  forwardLocal: true,
}

describe('reverseZones', () => {
  const networks = fc
    .tuple(fc.nat(0xffff_ffff), fc.integer({ min: 8, max: 32 }))
    .map(([value, prefix]) => ({
      network: ipv4FromNumber(value - (value % 2 ** (32 - prefix))),
      prefix,
    }))
  const covers = (zones: readonly string[], ip: Ipv4) =>
    zones.some((zone) => reverseName(ip) === zone || reverseName(ip).endsWith(`.${zone}`))

  it('cover the addresses of the network and no other', () => {
    fc.assert(
      fc.property(networks, fc.nat(0xffff_ffff), fc.nat(), (net, anywhere, inside) => {
        const zones = reverseZones(net)
        expect(zones.length).toBeLessThanOrEqual(128)
        const base = net.network.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0)
        const member = ipv4FromNumber(base + (inside % cidrSize(net)))
        expect(covers(zones, member)).toBe(true)
        const other = ipv4FromNumber(anywhere)
        expect(covers(zones, other)).toBe(cidrContains(net, other))
      }),
    )
  })
})

describe('a zone', () => {
  it('has no name without an authority above it', () => {
    const zone = sampleZone()
    const named = [...zone.names.named()].map((address) => reverseName(ipv4FromNumber(address)))
    const labels = [...zone.names.labels()].map((label) => `${label}.${ZONE}`)
    expect(labels).toContain(`web.${ZONE}`)
    for (const key of [...zone.nodes.keys(), ...[...named, ...labels].map(keyOf)])
      expect(authorityOf(zone, key)).toBeDefined()
  })

  it('says that names above others exist', () => {
    const zone = sampleZone()
    expect(nameExists(zone, keyOf('0.31.172.in-addr.arpa'))).toBe(true)
    expect(nameExists(zone, keyOf('9.31.172.in-addr.arpa'))).toBe(false)
    expect(nameExists(zone, keyOf('00.31.172.in-addr.arpa'))).toBe(false)
  })

  it('does not claim the reverse name of an address outside every VPC', () => {
    const names = [{ name: 'i-1', ip: ipv4('203.0.112.9'), primary: true }]
    const zone = zoneOf({ names, vpcs: [] }, settings)
    expect(nameExists(zone, keyOf('9.112.0.203.in-addr.arpa'))).toBe(false)
    expect(recordsOf(zone, keyOf('9.112.0.203.in-addr.arpa'), TYPE.PTR)).toBeUndefined()
    expect(authorityOf(zone, keyOf('9.112.0.203.in-addr.arpa'))).toBeUndefined()
    expect(recordsOf(zone, keyOf('i-1.atoll.internal'), TYPE.A)?.count).toBe(1)
  })

  it('has the private address for a public name of its own, and for another the address itself', () => {
    const names = [{ name: 'ec2-203-0-113-9', ip: ipv4('172.31.0.4'), primary: false }]
    const zone = zoneOf({ names, vpcs: [] }, settings)
    const addressOf = (name: string) => recordsOf(zone, keyOf(name), TYPE.A)?.bytes.subarray(-4)
    expect(addressOf('ec2-203-0-113-9.atoll.internal')).toEqual(Buffer.of(172, 31, 0, 4))
    expect(addressOf('ec2-203-0-113-8.atoll.internal')).toEqual(Buffer.of(203, 0, 113, 8))
    for (const name of [
      'ec2-203-0-113-256.atoll.internal',
      'ec2-203-0-113.atoll.internal',
      'ec2-203-0-113-8-1.atoll.internal',
      'ec2-203-0-113-8.a.atoll.internal',
      'ec2-203-0-113-8.example',
      'xec2-203-0-113-8.atoll.internal',
    ])
      expect(addressOf(name), name).toBeUndefined()
  })

  it('names what it cannot serve and serves the rest', () => {
    const ip = ipv4('10.0.0.4')
    const names = ['ok', 'not.a.label', 'BIG', '', 'x'.repeat(64), 'sp ace'].map((name) => ({
      name,
      ip,
      primary: false,
    }))
    const zone = zoneOf({ names, vpcs: [] }, settings)
    expect(zone.names.unusable).toEqual(['not.a.label', 'BIG', '', 'x'.repeat(64), 'sp ace'])
    expect(nameExists(zone, keyOf('ok.atoll.internal'))).toBe(true)
  })

  it('takes any names and addresses without throwing', () => {
    const entry = fc.record({
      name: fc.string({ maxLength: 80 }),
      ip: fc.nat(0xffff_ffff).map(ipv4FromNumber),
      primary: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 20 }), (names) => {
        const zone = zoneOf({ names, vpcs: [] }, settings)
        const usable = names.filter(({ name }) => /^[a-z0-9_-]{1,63}$/.test(name))
        for (const { name } of usable)
          expect(recordsOf(zone, keyOf(`${name}.atoll.internal`), TYPE.A)).toBeDefined()
      }),
    )
  })
})

describe('names below local', () => {
  const key = keyOf('files.corp.local')

  it('are ours to deny unless they are forwarded', () => {
    const authority = (forwardLocal: boolean, zone = 'atoll.internal') =>
      authorityOf(zoneOf({ names: [], vpcs: [] }, { ...settings, zone, forwardLocal }), key)
    expect(authority(false)).toBeDefined()
    expect(authority(true)).toBeUndefined()
  })

  it('stay ours where the zone of the cloud is one of them', () => {
    const zone = zoneOf({ names: [], vpcs: [] }, { ...settings, zone: 'corp.local' })
    expect(authorityOf(zone, key)).toBeDefined()
    expect(authorityOf(zone, keyOf('other.local'))).toBeUndefined()
  })
})
