/**
 * Random and mutated input for every parser that untrusted bytes reach: packets, headers, images,
 * bus messages and lines of a stream.
 *
 * Each parser accepts its input or refuses it with an error of its own. It throws nothing else, and
 * takes 20 ms at most. `ATOLL_LONG=1` tries a million inputs; `ATOLL_SEED` repeats a run.
 */
import { createHmac, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { parseCommand, parseHeaders } from '../../src/api/commands/command.ts'
import { EC2_MODEL } from '../../src/api/generated/ec2.ts'
import { authenticate } from '../../src/api/http/auth.ts'
import { parsePublicKey } from '../../src/api/instances/ssh-keys.ts'
import { decodeJson } from '../../src/api/wire/json.ts'
import { linkModel } from '../../src/api/wire/model.ts'
import { decodeInput, parseForm } from '../../src/api/wire/query.ts'
import { createSigner } from '../../src/bus/rabbit/signing.ts'
import { isStaticElf } from '../../src/containers/elf.ts'
import { demultiplex } from '../../src/containers/logs.ts'
import { linesOf } from '../../src/host/sockets/lines.ts'
import { diskOf } from '../../src/images/content.ts'
import { parseOverlay } from '../../src/images/qcow2.ts'
import { systemClock } from '../../src/lib/clock.ts'
import {
  closeReason,
  parseControl,
  parseOffer,
  parseScreen,
} from '../../src/lib/terminal-protocol.ts'
import { createFreezer } from '../../src/machines/agent.ts'
import { connectQmp } from '../../src/machines/qmp.ts'
import { AtollError } from '../../src/model/errors.ts'
import { parseImageLocation } from '../../src/model/image-location.ts'
import { instance } from '../../tools/kit/instance.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { KEY } from '../kit/api.ts'
import { type Chance, chanceOf, mutate, seedOfRun } from '../kit/mutate.ts'
import { PACKET_PARSERS } from '../kit/packet-parsers.ts'
import { hostName } from '../kit/records.ts'
import { signedHeaders } from '../kit/signed.ts'
import { isQuick } from '../kit/stall.ts'
import { isLong } from '../long-files.ts'

const SEED = seedOfRun()
const STALL_MS = 20
const ALL = isLong ? 1_000_000 : 20_000

interface Parser {
  readonly name: string
  readonly seeds: readonly Buffer[]
  /** What it is to do with the bytes. */
  readonly parse: (bytes: Buffer, chance: Chance) => unknown
  /** Errors that are its way to refuse, beside `refused`. */
  readonly refuses?: (error: unknown) => boolean
}

const BUS_KEY = randomBytes(32)
const SIGNER = createSigner({
  host: hostName('one'),
  key: BUS_KEY,
  clock: systemClock,
  random: randomBytes,
})
const ACTIONS = [...linkModel(EC2_MODEL).values()]
const text = (...texts: readonly string[]) => texts.map((one) => Buffer.from(one))
const json = (...values: readonly object[]) => text(...values.map((value) => JSON.stringify(value)))

function qcow2(): Buffer {
  const head = Buffer.alloc(4_096)
  const fields = [0x514649fb, 3, 0, 0, 0, 16, 0, 2 ** 30, 0, 2, 0, 3 * 65_536, 0, 65_536, 1]
  for (const [index, value] of fields.entries()) head.writeUInt32BE(value, index * 4)
  head.writeUInt32BE(4, 96)
  head.writeUInt32BE(112, 100)
  return head
}

const envelope = (letters: readonly object[]) => ({
  ...{ from: 'two', to: 'one', at: Date.now(), id: randomBytes(9).toString('base64url') },
  letters,
})

const PARSERS: readonly Parser[] = [
  ...PACKET_PARSERS,
  {
    name: 'disks',
    seeds: [qcow2(), Buffer.concat([Buffer.alloc(510), Buffer.of(0x55, 0xaa)])],
    parse(bytes, { below }) {
      const head = below(2) === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(4_096)])
      isStaticElf(head)
      if (below(2) === 0) return parseOverlay(head, head.length * below(1_000))
      return diskOf(head, head.length * below(1_000), 'disk')
    },
  },
  {
    name: 'image locations',
    seeds: text(
      'docker://registry:5000/a/b:tag@sha256:00',
      'kernel=/a,initrd=https://h/x?y,append="a b",sha256=00',
      's3://bucket/key',
      'qcow2=https://[::1]:99/x',
    ),
    parse: (bytes) => parseImageLocation(bytes.toString('utf8')),
  },
  {
    name: 'messages of the bus that nobody signed',
    seeds: [SIGNER.sign(null, ['{"kind":"bell","bell":"own"}'])],
    parse: (bytes) => SIGNER.verify(bytes),
  },
  {
    name: 'messages of the bus by a host that lost its mind',
    seeds: json(
      envelope([{ kind: 'bell', bell: 'shared' }]),
      envelope([{ kind: 'ask', id: 'a.123456', question: 'console', ask: {}, timeoutMs: 5 }]),
      envelope([
        { kind: 'answer', re: 'a.123456', error: { kind: 'bug', code: 'X', message: '' } },
      ]),
    ),
    parse: (bytes) =>
      SIGNER.verify(Buffer.concat([createHmac('sha256', BUS_KEY).update(bytes).digest(), bytes])),
  },
  {
    name: 'commands',
    seeds: json(
      {
        id: 'a',
        action: 'RunInstances',
        parameters: { ImageId: 'ami-1', MinCount: 1, TagSpecifications: [{ Tags: [] }] },
      },
      { id: 'b', action: 'DescribeTags', parameters: { Filters: [{ Name: 'a', Values: ['*'] }] } },
    ),
    parse(bytes, { pick }) {
      parseHeaders({ 'x-atoll-access-key': bytes.toString('latin1'), 'x-atoll-date': bytes })
      return decodeJson(pick(ACTIONS).input, parseCommand(bytes).parameters)
    },
  },
  {
    name: 'command bodies',
    seeds: json({
      id: 'b',
      action: 'DescribeTags',
      parameters: { Filters: [{ Name: 'a', Values: ['*'] }] },
    }),
    parse: (bytes, { pick }) => decodeJson(pick(ACTIONS).input, parseCommand(bytes).parameters),
  },
  {
    name: 'forms',
    seeds: text(
      'Action=RunInstances&ImageId=ami-1&MinCount=1&TagSpecification.1.Tag.1.Key=a&BlockDeviceMapping.2.Ebs.VolumeSize=8',
      'Filter.1.Name=tag%3AName&Filter.1.Value.1=%2A&MaxResults=5&Filter.4096.Value.999999999=x',
    ),
    parse: (bytes, { pick }) => decodeInput(pick(ACTIONS).input, parseForm(bytes.toString('utf8'))),
  },
  {
    name: 'public keys',
    seeds: text(
      'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHKPtkMgeTMxFFcGPDzrSxXcVHTwGCvL9Wp2TI9wUPrh a',
      '---- BEGIN SSH2 PUBLIC KEY ----\nComment: a\nAAAAB3NzaC1yc2E=\n---- END SSH2 PUBLIC KEY ----',
      '-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----',
    ),
    parse: (bytes) => parsePublicKey(bytes),
  },
  {
    name: 'requests and control of consoles',
    seeds: text(
      '/console?columns=80&rows=24&term=xterm-256color',
      'atoll.console.v1, ticket.7Jv2aQ0x_m4h-9ZbE1tYw3uKcR5sPdFgLiNoVqX8yTA',
      '{"type":"resize","columns":80,"rows":24}',
      '{"type":"exit","exitCode":1,"reason":"it ended"}',
    ),
    parse(bytes, { pick }) {
      const text = bytes.toString('utf8')
      parseOffer(text)
      closeReason(text)
      return pick([
        () => parseScreen(text),
        () => parseControl(text, 'client'),
        () => parseControl(text, 'host'),
      ])()
    },
    refuses: (error) => error instanceof Error && error.constructor === Error,
  },
  {
    name: 'console output of containers',
    seeds: [Buffer.concat([Buffer.from('0100000000000005', 'hex'), Buffer.from('hello')])],
    parse: (bytes) => demultiplex(bytes),
  },
]

const isRefusal = (error: unknown) => error instanceof AtollError && error.kind !== 'bug'

/** One input; false when it took long. */
function tryOne({ parse, refuses = () => false }: Parser, bytes: Buffer, seed: number): boolean {
  return isQuick(STALL_MS, () => {
    try {
      parse(Buffer.from(bytes), chanceOf(seed))
    } catch (error) {
      if (!isRefusal(error) && !refuses(error))
        throw new Error(`of ${bytes.length} bytes: ${bytes.toString('hex').slice(0, 2_000)}`, {
          cause: error,
        })
    }
  })
}

describe(`mutated bytes, with ATOLL_SEED=${SEED},`, () => {
  it.each(PARSERS)('$name: taken or refused, at once', { timeout: 900_000 }, (parser) => {
    const chance = chanceOf(SEED)
    for (let count = Math.ceil(ALL / PARSERS.length); count > 0; count -= 1) {
      const bytes = mutate(chance.pick(parser.seeds), chance)
      if (!tryOne(parser, bytes, chance.below(2 ** 31)))
        throw new Error(
          `takes longer than ${STALL_MS} ms: ${bytes.toString('hex').slice(0, 2_000)}`,
        )
    }
  })

  it('heads of signed requests: refused, or verified', { timeout: 900_000 }, async () => {
    const chance = chanceOf(SEED)
    const { host, authorization, 'x-amz-date': date } = signedHeaders({ body: 'Action=X' })
    const findKey = async (id: string) => (id === KEY.id ? KEY : undefined)
    for (let count = Math.ceil(ALL / 20); count > 0; count -= 1) {
      const broken = (value: string) =>
        chance.below(2) === 0 ? value : mutate(Buffer.from(value), chance).toString('latin1')
      const headers = {
        host: [broken(host)],
        authorization: [broken(authorization)],
        'x-amz-date': [broken(date)],
        [broken('x-amz-content-sha256')]: [broken('00')],
      }
      const query = broken('a=b&c=%20')
      const request = { method: 'POST', path: broken('/'), query, headers, body: Buffer.from('') }
      const outcome = await authenticate(request, findKey, Date.now()).catch((error) => error)
      expect(isRefusal(outcome) || outcome.accessKey === KEY.id, String(outcome)).toBe(true)
    }
  })

  it('lines of a stream: read, or the stream is closed', { timeout: 900_000 }, async () => {
    const chance = chanceOf(SEED)
    for (let count = Math.ceil(ALL / 100); count > 0; count -= 1) {
      const stream = new PassThrough()
      stream.end(mutate(Buffer.from('{"event":"A"}\n{"id":1,"return":{}}\n'), chance))
      const lines: string[] = []
      const read = async () => {
        for await (const line of linesOf(stream, new AbortController().signal)) lines.push(line)
      }
      await read().catch((error: unknown) => expect(isRefusal(error), String(error)).toBe(true))
    }
  })

  it('a compromised QEMU: refused, and nothing is left', { timeout: 900_000 }, async () => {
    const chance = chanceOf(SEED)
    const directory = await mkdtemp(join(tmpdir(), 'atoll-fuzz-'))
    const path = join(directory, 'qmp')
    const VALID =
      '{"QMP":{}}\n{"id":1,"return":{}}\n{"event":"SHUTDOWN","data":{}}\n{"id":2,"error":{"class":"a","desc":"b"}}\n'
    const server = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.end(mutate(Buffer.from(VALID), chance))
    })
    await new Promise<void>((done) => server.listen(path, done))
    try {
      for (let count = ALL / 200; count > 0; count -= 1) {
        const outcome = await connectQmp(path, () => undefined)
          .then(async (qmp) => {
            await qmp.execute('query-status').finally(() => qmp.close())
          })
          .catch((error: unknown) => error)
        expect(outcome === undefined || isRefusal(outcome), String(outcome)).toBe(true)
      }
    } finally {
      server.close()
      await rm(directory, { recursive: true })
    }
  })

  it('a guest whose agent lies: not frozen, and nothing is left', {
    timeout: 900_000,
  }, async () => {
    const chance = chanceOf(SEED)
    const directory = await mkdtemp(join(tmpdir(), 'atoll-fuzz-'))
    const path = join(directory, 'agent')
    const server = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.once('data', (bytes) => {
        const id = /"id":(\d+)/.exec(bytes.toString('latin1'))?.[1] ?? ''
        const sound = `{"return":${id}}\n{"return":"thawed"}\n`
        const answer = mutate(Buffer.from(sound), chance)
        socket.end(Buffer.concat([chance.below(2) === 0 ? Buffer.of(0xff) : Buffer.of(), answer]))
      })
    })
    await new Promise<void>((done) => server.listen(path, done))
    const freezer = createFreezer({
      socketOf: () => path,
      monitorOf: async () => ({
        execute: async () => [{ label: 'agent', filename: '', 'frontend-open': true }],
      }),
      homeOf: () => directory,
      answerMs: 5_000,
      clock: systemClock,
      log: silentLog,
    })
    try {
      for (let count = ALL / 200; count > 0; count -= 1) {
        const freeze = await freezer.open(instance(7).id, new AbortController().signal)
        expect(freeze === null || typeof freeze === 'function').toBe(true)
      }
    } finally {
      server.close()
      await rm(directory, { recursive: true })
    }
  })
})
