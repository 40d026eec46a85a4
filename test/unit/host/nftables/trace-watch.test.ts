/** What the kernel says of traced packets, and what a listing says of rules. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { rulesIn } from '../../../../src/host/nftables/nft.ts'
import { parseTrace } from '../../../../src/host/nftables/trace-watch.ts'

/** An attribute (libnetlink(3), `struct nlattr`), padded to four bytes. */
function attribute(type: number, payload: Buffer): Buffer {
  const bytes = Buffer.alloc((4 + payload.length + 3) & ~3)
  bytes.writeUInt16LE(4 + payload.length, 0)
  bytes.writeUInt16LE(type, 2)
  payload.copy(bytes, 4)
  return bytes
}
const text = (type: number, value: string) => attribute(type, Buffer.from(`${value}\0`))
function number(type: number, value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return attribute(type, bytes)
}
function handle(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(value))
  return attribute(3, bytes)
}
const verdict = (code: number, chain?: string) =>
  attribute(5, Buffer.concat([number(1, code), ...(chain === undefined ? [] : [text(2, chain)])]))

/** A message of nftables (`nlmsghdr`, `nfgenmsg`) about a traced packet in an `inet` table. */
function message(...attributes: readonly Buffer[]): Buffer {
  const head = Buffer.alloc(20)
  head.writeUInt16LE((10 << 8) | 17, 4)
  head.writeUInt8(1, 16)
  const whole = Buffer.concat([head, ...attributes])
  whole.writeUInt32LE(whole.length, 0)
  return whole
}
const WHERE = [text(1, 'atoll'), text(2, 'forward'), number(6, 0x1234)]

describe('events', () => {
  test.each([
    [0, undefined, 'drop'],
    [1, undefined, 'accept'],
    [3, undefined, 'queue'],
    [-1, undefined, 'continue'],
    [-3, 'in_sg', 'jump in_sg'],
    [-4, 'in_sg', 'goto in_sg'],
    [-5, undefined, 'return'],
    [77, undefined, 'verdict 77'],
  ])('verdict %i %s of a rule is %s', (code, chain, said) => {
    const bytes = message(...WHERE, handle(42), number(4, 3), verdict(code, chain), number(10, 7))
    expect(parseTrace(bytes)).toEqual([
      {
        ...{ packet: 0x1234, table: 'inet atoll', chain: 'forward', handle: 42 },
        ...{ verdict: said, from: 7, to: null },
      },
    ])
  })

  test('a policy has no handle', () => {
    const bytes = message(...WHERE, number(4, 1), number(17, 0), number(12, 9))
    expect(parseTrace(bytes)).toEqual([
      expect.objectContaining({ handle: null, verdict: 'drop', from: null, to: 9 }),
    ])
  })

  test('several in one datagram, and nothing of what is none', () => {
    const one = message(...WHERE, number(4, 3), verdict(1))
    const other = Buffer.from(one)
    other.writeUInt16LE((10 << 8) | 6, 4)
    expect(parseTrace(Buffer.concat([one, other, one]))).toHaveLength(2)
    expect(parseTrace(message(text(1, 'atoll')))).toEqual([])
    expect(parseTrace(one.subarray(0, 30))).toEqual([])
  })

  test('whatever arrives, it is parsed or skipped', () => {
    const whole = message(...WHERE, handle(42), number(4, 3), verdict(-3, 'x'), number(10, 7))
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 8 }),
        (changes) => {
          const bytes = Buffer.from(whole)
          for (const [at, value] of changes) bytes.writeUInt8(value, at)
          expect(Array.isArray(parseTrace(bytes))).toBe(true)
        },
      ),
      { numRuns: 2000 },
    )
  })
})

test('rules are told apart by chain and handle', () => {
  const listing = `table inet atoll { # handle 12
	set nics { # handle 3
		type ifname
		elements = { "at-h1" }
	}

	chain one { # handle 4
		tcp dport 22 accept # handle 9
		ip saddr { 10.0.0.1, 10.0.0.2 } drop # handle 10
	}

	chain two { # handle 5
		type filter hook forward priority filter; policy drop;
		counter name "x" comment "a # handle 9" # handle 11
	}
}
`
  expect([...rulesIn(listing)]).toEqual([
    ['one 9', 'tcp dport 22 accept'],
    ['one 10', 'ip saddr { 10.0.0.1, 10.0.0.2 } drop'],
    ['two 11', 'counter name "x" comment "a # handle 9"'],
  ])
})
