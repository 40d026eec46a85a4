/**
 * The memory of transactions against what the kernel sends: objects of a transaction, and last its
 * number.
 */
import { describe, expect, test } from 'vitest'
import { createChangeHistory } from '../../../../src/host/nftables/rules-watch.ts'

const NEW_RULE = 0xa06
const NEW_GENERATION = 0xa0f
const INET = 1
const IP = 2

/** One message: nlmsghdr, nfgenmsg, and one attribute of type 1. */
function message(type: number, family: number, attribute: Buffer): Buffer {
  const bytes = Buffer.alloc((24 + attribute.length + 3) & ~3)
  bytes.writeUInt32LE(24 + attribute.length, 0)
  bytes.writeUInt16LE(type, 4)
  bytes.writeUInt8(family, 16)
  bytes.writeUInt16LE(4 + attribute.length, 20)
  bytes.writeUInt16LE(1, 22)
  bytes.set(attribute, 24)
  return bytes
}

function rule(family: number, table: string): Buffer {
  return message(NEW_RULE, family, Buffer.from(`${table}\0`))
}

function generation(number: number): Buffer {
  const value = Buffer.alloc(4)
  value.writeUInt32BE(number)
  return message(NEW_GENERATION, 0, value)
}

function transaction(number: number, ...tables: readonly string[]): Buffer {
  return Buffer.concat([...tables.map((table) => rule(INET, table)), generation(number)])
}

describe('what transactions changed', () => {
  test('by generation, several to a read', () => {
    const memory = createChangeHistory()
    memory.take(transaction(5, 'atoll'))
    const rest = [transaction(6, 'a', 'b'), rule(IP, 'filter')]
    expect(memory.take(Buffer.concat(rest))).toEqual([new Set(['inet a', 'inet b'])])
    expect(memory.take(generation(7))).toEqual([new Set(['ip filter'])])
    expect(memory.seen()).toBe(7)
    expect(memory.changedAfter(5)).toEqual(new Set(['inet a', 'inet b', 'ip filter']))
    expect(memory.changedAfter(6)).toEqual(new Set(['ip filter']))
    expect(memory.changedAfter(7)).toEqual(new Set())
  })

  test('before the first one nothing is known', () => {
    const memory = createChangeHistory()
    expect(memory.changedAfter(0)).toBeNull()
    expect(memory.take(transaction(5, 'atoll'))).toEqual([null])
    expect(memory.changedAfter(4)).toBeNull()
    expect(memory.changedAfter(5)).toEqual(new Set())
  })

  test('a gap is noticed', () => {
    const memory = createChangeHistory()
    memory.take(Buffer.concat([transaction(5, 'a'), transaction(6, 'b')]))
    expect(memory.take(transaction(9, 'c'))).toEqual([null])
    expect(memory.changedAfter(6)).toBeNull()
    expect(memory.changedAfter(9)).toEqual(new Set())
  })

  test('what was sent before something was lost says nothing about what was lost', () => {
    const memory = createChangeHistory()
    memory.take(transaction(5, 'a'))
    memory.forget(null)
    expect(memory.changedAfter(5)).toBeNull()
    memory.forget(9)
    expect(memory.take(transaction(6, 'b'))).toEqual([null])
    expect(memory.changedAfter(5)).toBeNull()
    expect(memory.changedAfter(9)).toEqual(new Set())
    expect(memory.take(transaction(10, 'c'))).toEqual([new Set(['inet c'])])
  })

  test('tables without end are not remembered', () => {
    const memory = createChangeHistory()
    for (let number = 1; number < 3_000; number++) memory.take(transaction(number, `t${number}`))
    expect(memory.changedAfter(1)).toBeNull()
    expect(memory.changedAfter(2_998)).toEqual(new Set(['inet t2999']))
  })

  test('bytes that are no messages end the reading', () => {
    const memory = createChangeHistory()
    memory.take(transaction(5, 'a'))
    for (const bytes of [Buffer.alloc(100), Buffer.alloc(3), Buffer.alloc(64, 0xff)])
      expect(memory.take(bytes)).toEqual([])
    expect(memory.changedAfter(5)).toEqual(new Set())
  })
})
