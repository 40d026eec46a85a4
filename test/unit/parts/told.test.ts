/** What a process of DHCP, DNS and metadata is told, by what it has been told before. */
import { describe, expect, it } from 'vitest'
import { MAX_PASSED } from '../../../src/host/sockets/passing.ts'
import { cidr, ipv4, ipv4FromNumber } from '../../../src/model/addr.ts'
import { formatId } from '../../../src/model/ids.ts'
import { NAMES_IN_LINE, type NameWant, type Order } from '../../../src/parts/protocol.ts'
import type { ShelvedSocket } from '../../../src/parts/socket-shelf.ts'
import { Told } from '../../../src/parts/told.ts'
import { nothingWanted, type Wanted } from '../../../src/parts/wanted.ts'
import { instance } from '../../../tools/kit/instance.ts'

const VPC = { id: formatId('vpc', new Uint8Array(9)), cidr: cidr('172.31.0.0/16') }
const nameOf = (number: number): NameWant => ({
  ...{ name: `i-${number}`, ip: ipv4FromNumber(number), primary: true },
})
const socketOf = (id: number): ShelvedSocket => ({
  ...{ fd: id + 1_000, id, place: { kind: 'udp', address: ipv4('172.31.0.1'), port: 53 } },
})

function wantedWith(changes: Partial<Wanted>): Wanted {
  return Object.assign(nothingWanted('machine'), changes)
}

function withSockets(ids: readonly number[]): Wanted {
  const wanted = nothingWanted('machine')
  for (const id of ids) wanted.sockets.get('dns')?.set(String(id), socketOf(id))
  return wanted
}

const kindsOf = (orders: Iterable<Order>) => [...orders].map(({ kind }) => kind)

describe('all that is wanted', () => {
  it('is said once, and of a change only what differs', () => {
    const told = new Told()
    const wanted = wantedWith({
      ...{ instances: [instance(1), instance(2)], names: [nameOf(1)], vpcs: [VPC] },
      roles: [{ instance: instance(1).id, role: 'r', document: { Code: 'Success' } }],
    })
    expect(kindsOf(told.differences(wanted))).toEqual(['instances', 'networks', 'names', 'roles'])
    expect(kindsOf(told.differences(wanted))).toEqual([])
    // Made anew, and equal.
    expect(kindsOf(told.differences(structuredClone(wanted)))).toEqual([])
    wanted.instances = [instance(1), instance(2, { bootCount: 2 })]
    expect([...told.differences(wanted)]).toMatchObject([
      { kind: 'instances', changed: [{ id: instance(2).id, bootCount: 2 }], gone: [] },
    ])
    wanted.instances = [instance(2, { bootCount: 2 })]
    expect([...told.differences(wanted)]).toMatchObject([
      { kind: 'instances', changed: [], gone: [instance(1).id] },
    ])
    wanted.vpcs = []
    expect(kindsOf(told.differences(wanted))).toEqual(['networks'])
    wanted.names = [nameOf(1), nameOf(2)]
    expect([...told.differences(wanted)]).toMatchObject([
      { kind: 'names', edits: [{ at: 1, removed: 0, added: [nameOf(2)] }] },
    ])
    wanted.roles = []
    expect([...told.differences(wanted)]).toMatchObject([{ kind: 'roles', documents: [] }])
  })

  it('is said again of a namespace that had ended, and of that alone', () => {
    const told = new Told()
    const [one, other] = [
      wantedWith({ vpcs: [VPC] }),
      { ...wantedWith({ vpcs: [VPC] }), namespace: '7' },
    ]
    for (const wanted of [one, other]) expect([...told.differences(wanted)]).toHaveLength(1)
    told.end('7')
    expect([...told.differences(one)]).toHaveLength(0)
    expect([...told.differences(other)]).toMatchObject([{ namespace: '7' }])
  })

  it('is divided into lines', () => {
    const told = new Told()
    const names = Array.from({ length: 3 * NAMES_IN_LINE }, (_, index) => nameOf(index))
    const instances = Array.from({ length: 20 }, (_, index) => instance(index))
    const lines = [...told.differences(wantedWith({ names, instances }))]
    const said = lines.flatMap((line) => (line.kind === 'instances' ? [line.changed] : []))
    expect(said.map(({ length }) => length)).toEqual([8, 8, 4])
    expect(said.flat()).toEqual(instances)
    const edits = lines.flatMap((line) => (line.kind === 'names' ? [line.edits] : []))
    for (const line of edits)
      expect(line.flatMap(({ added }) => added).length).toBeLessThanOrEqual(NAMES_IN_LINE)
    expect(edits.flat().flatMap(({ added }) => added)).toEqual(names)
    // Every second one has another address now: as many edits, each with a name that is removed.
    const others = names.map((name, at) =>
      at % 2 === 0 ? name : { ...name, ip: ipv4('10.9.9.9') },
    )
    const small = [...told.differences(wantedWith({ names: others, instances }))]
    const counts = small.map((line) => (line.kind === 'names' ? line.edits.length : 0))
    expect(counts).toEqual([NAMES_IN_LINE / 2, NAMES_IN_LINE / 2, NAMES_IN_LINE / 2])
  })
})

describe('sockets', () => {
  it('are passed in parts, and once they are there not again', () => {
    const told = new Told()
    let n = 0
    const next = () => (n += 1)
    const wanted = withSockets(Array.from({ length: MAX_PASSED + 3 }, (_, index) => index))
    const parts = told.sockets(wanted, next)
    expect(parts.map(({ fds }) => fds.length)).toEqual([MAX_PASSED, 3])
    for (const { fds, order } of parts)
      expect(order.passed.map(({ id }) => id + 1_000)).toEqual(fds)
    // Nothing was carried out yet.
    expect(told.sockets(wanted, next)).toHaveLength(2)
    for (const { order } of parts) told.hasSockets(order)
    expect(told.sockets(wanted, next)).toEqual([])
  })

  it('that are not wanted any more are dropped, once', () => {
    const told = new Told()
    for (const { order } of told.sockets(withSockets([1, 2]), () => 1)) told.hasSockets(order)
    const [part, ...others] = told.sockets(withSockets([2]), () => 2)
    expect(others).toEqual([])
    expect(part).toMatchObject({ fds: [], order: { passed: [], dropped: [1] } })
    if (part !== undefined) told.hasSockets(part.order)
    expect(told.sockets(withSockets([2]), () => 3)).toEqual([])
    const many = Array.from({ length: MAX_PASSED + 1 }, (_, index) => index + 10)
    const dropped = told.sockets(withSockets(many), () => 4).map(({ order }) => order.dropped)
    expect(dropped).toEqual([[2], []])
  })
})
