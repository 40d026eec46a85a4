/** Lines between the agent and the process of DHCP, DNS and metadata. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  createLineReader,
  MAX_LINE,
  type Order,
  parseOrder,
  parseReply,
} from '../../../src/parts/protocol.ts'
import { instance } from '../../../tools/kit/instance.ts'

const namespace = 'machine'
const subnet = { id: 's', cidr: { network: '10.0.0.0', prefix: 24 }, gateway: '10.0.0.1' }
const GOOD: Readonly<Record<string, object>> = {
  hello: { kind: 'hello', n: 1, session: 'a', settings: {} },
  sockets: {
    ...{ kind: 'sockets', n: 2, namespace, dropped: [7] },
    passed: [
      { id: 5, place: { kind: 'udp', address: '10.0.0.1', port: 53 } },
      { id: 6, place: { kind: 'link', link: 'at-1', index: 4, port: 67 } },
    ],
  },
  instances: { kind: 'instances', namespace, changed: [instance(1)], gone: ['i-1'] },
  networks: { kind: 'networks', namespace, vpcs: [subnet], subnets: [subnet] },
  names: {
    ...{ kind: 'names', namespace: '7' },
    edits: [{ at: 0, removed: 0, added: [{ name: 'a', ip: '10.0.0.1', primary: true }] }],
  },
  roles: { kind: 'roles', namespace, documents: [{ instance: 'i', role: 'r', document: {} }] },
  apply: { kind: 'apply', n: 3, namespace, answer: 'dns' },
  end: { kind: 'end', namespace },
  ping: { kind: 'ping', n: 4 },
  metrics: { kind: 'metrics', n: 5 },
  retire: { kind: 'retire' },
}

describe('an order', () => {
  it.each(Object.entries(GOOD))('%s is read as it was written', (_kind, order) => {
    expect(parseOrder(JSON.stringify(order))).toEqual(order)
  })

  const changed = (kind: keyof typeof GOOD, change: object) => ({ ...GOOD[kind], ...change })
  const [udp, link] = (GOOD['sockets'] as Extract<Order, { kind: 'sockets' }>).passed
  it.each([
    ['no object', [GOOD['ping']]],
    ['an unknown kind', { kind: 'shell', n: 1 }],
    ['a ping without a number', { kind: 'ping' }],
    ['a number that is none', changed('metrics', { n: '1' })],
    ['a namespace that is a path', changed('end', { namespace: '../1' })],
    ['no namespace', changed('apply', { namespace: undefined })],
    ['an answer that nobody gives', changed('apply', { answer: 'smtp' })],
    ['settings that are none', changed('hello', { settings: [] })],
    ['no session', changed('hello', { session: null })],
    ['a socket without a place', changed('sockets', { passed: [{ ...udp, place: null }] })],
    ['an inode that is none', changed('sockets', { passed: [{ ...udp, id: -1 }] })],
    [
      'an address that is none',
      changed('sockets', { passed: [{ ...udp, place: { ...udp?.place, address: '10.0.0' } }] }),
    ],
    [
      'a port that is none',
      changed('sockets', { passed: [{ ...udp, place: { ...udp?.place, port: 0.5 } }] }),
    ],
    [
      'a link without an index',
      changed('sockets', { passed: [{ ...link, place: { ...link?.place, index: null } }] }),
    ],
    ['what is dropped and no list', changed('sockets', { dropped: {} })],
    ['an instance without an id', changed('instances', { changed: [{ nics: [] }] })],
    [
      'a NIC without an address',
      changed('instances', { changed: [{ ...instance(1), nics: [{ id: 'eni' }] }] }),
    ],
    ['ids that are none', changed('instances', { gone: [1] })],
    [
      'a network without a prefix',
      changed('networks', { vpcs: [{ cidr: { network: '10.0.0.0' } }] }),
    ],
    [
      'a prefix of 33',
      changed('networks', { vpcs: [{ cidr: { network: '10.0.0.0', prefix: 33 } }] }),
    ],
    ['a subnet without a gateway', changed('networks', { subnets: [{ ...subnet, gateway: '' }] })],
    ['an edit at no place', changed('names', { edits: [{ at: -1, removed: 0, added: [] }] })],
    ['an edit that removes nothing', changed('names', { edits: [{ at: 0, added: [] }] })],
    [
      'a name without an address',
      changed('names', { edits: [{ at: 0, removed: 0, added: [{ name: 'a' }] }] }),
    ],
    ['a role without a document', changed('roles', { documents: [{ instance: 'i', role: 'r' }] })],
  ])('with %s is refused', (_what, order) => {
    expect(parseOrder(JSON.stringify(order))).toBeNull()
  })
})

describe('a reply', () => {
  it('is read without what it may not say', () => {
    const known = { n: 1, build: 'b', differs: true, pid: 7, text: 't' }
    const said = { ...known, error: 'x'.repeat(3_000), more: 1 }
    expect(parseReply(JSON.stringify(said))).toEqual({
      ...known,
      error: 'x'.repeat(2_000),
    })
    expect(parseReply('{"n":1,"error":7,"build":{},"differs":"no","pid":-1,"text":null}')).toEqual({
      n: 1,
    })
    expect(parseReply('{"retiring":true,"n":1}')).toEqual({ retiring: true })
  })

  it.each(['', 'null', '[]', '7', '{', '{}', '{"n":"1"}', '{"n":1.5}', '{"retiring":1}'])(
    '%s is none',
    (line) => expect(parseReply(line)).toBeNull(),
  )
})

describe('lines', () => {
  it('are the same wherever the stream is cut', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a', '\n', 'bc', 'é'), { maxLength: 30 }), (pieces) => {
        const lines: string[] = []
        const read = createLineReader((line) => lines.push(line), expect.fail)
        for (const piece of pieces) read(piece)
        expect(lines).toEqual(pieces.join('').split('\n').slice(0, -1))
      }),
    )
  })

  it('that are too long are said once, and nothing is read after that', () => {
    const lines: string[] = []
    let count = 0
    const read = createLineReader(
      (line) => lines.push(line),
      () => {
        count += 1
      },
    )
    read(`a\n${'x'.repeat(MAX_LINE)}`)
    expect([lines, count]).toEqual([['a'], 0])
    read('x')
    read('\nb\n')
    expect([lines, count]).toEqual([['a'], 1])
  })
})
