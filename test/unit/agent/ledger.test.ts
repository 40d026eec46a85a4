import { mkdir, mkdtemp, readdir, readFile, rm, rmdir, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createLedger, type Ledger, newerWant, parseLedger } from '../../../src/agent/ledger.ts'
import { type Clock, systemClock } from '../../../src/lib/clock.ts'
import type { Log } from '../../../src/lib/log.ts'
import { cidr, ipv4, parseMac } from '../../../src/model/addr.ts'
import { FIRST_DRIVERS } from '../../../src/model/driver.ts'
import { formatId, type HostName, parseAccountId, parseHostName } from '../../../src/model/ids.ts'
import { OLDER_METADATA } from '../../../src/model/metadata-options.ts'
import type { HostWant } from '../../../src/model/want.ts'
import { silentLog } from '../../../tools/kit/log.ts'
import { defaultRuleWants } from '../../kit/records.ts'

const bytes = Buffer.alloc(9, 0x5a)
const some = <T>(value: T | undefined): T => {
  if (value === undefined) throw new Error('malformed test data')
  return value
}
const host: HostName = some(parseHostName('host-1'))
const group = formatId('sg', bytes)
const nic = {
  id: formatId('eni', bytes),
  deviceIndex: 0,
  ip: ipv4('172.31.0.7'),
  mac: some(parseMac('02:00:00:00:00:07')),
  vpc: formatId('vpc', bytes),
  vpcCidr: cidr('172.31.0.0/16'),
  subnet: formatId('subnet', bytes),
  subnetCidr: cidr('172.31.0.0/20'),
  gateway: ipv4('172.31.0.1'),
  groups: [{ id: formatId('sg', bytes), name: 'default' }],
}

/** A want whose local part says `generation` and whose shared part says `name`. */
function want(generation: number, name: string): HostWant {
  const image = {
    id: formatId('ami', bytes),
    location: 'docker://busybox',
    digest: null,
    driver: FIRST_DRIVERS.container,
  }
  return {
    local: {
      host,
      generation,
      instances: [
        {
          id: formatId('i', bytes),
          account: some(parseAccountId('123456789012')),
          reservation: formatId('r', bytes),
          launchIndex: 0,
          launchedAt: '2026-11-22T08:33:27.000Z',
          run: 'run',
          claimed: true,
          bootCount: generation,
          ran: true,
          image,
          driver: FIRST_DRIVERS.container,
          type: { name: 't.nano', vcpus: 1, memoryMiB: 64, diskGiB: 1 },
          disk: { volume: formatId('vol', bytes), sizeGiB: 3, keep: true },
          zone: 'atoll-1a',
          hostname: 'i-5a',
          keyName: null,
          publicKey: null,
          userData: 'aGVsbG8=',
          tags: [{ key: 'Name', value: 'wéb' }],
          metadata: OLDER_METADATA,
          nics: [nic],
        },
      ],
      images: [image],
      volumes: [{ id: formatId('vol', bytes), run: 'delete' }],
      captures: [
        { ...image, instance: formatId('i', bytes), origin: 'docker://busybox', reboot: true },
      ],
      keptImages: [image.id],
      unreadable: { ids: [], any: false },
    },
    shared: {
      subnets: [{ id: nic.subnet, cidr: nic.subnetCidr, gateway: nic.gateway }],
      vpcs: [{ id: nic.vpc, cidr: nic.vpcCidr }],
      groups: [{ id: group, members: [nic.ip], rules: defaultRuleWants(group) }],
      names: [{ name, ip: nic.ip, primary: true }],
      peers: [{ host, address: ipv4('10.0.0.2') }],
      routes: [{ ip: ipv4('172.31.0.9'), via: ipv4('10.0.0.2') }],
    },
  }
}

let directory = ''
let file = ''
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'atoll-ledger-'))
  await mkdir(join(directory, 'state'))
  file = join(directory, 'state', 'ledger.json')
})
afterEach(() => rm(directory, { recursive: true, force: true }))

/** A logger that keeps its messages. */
function keepingLog(): { readonly log: Log; readonly messages: string[] } {
  const messages: string[] = []
  const keep = (_fields: object, message: string) => void messages.push(message)
  const log: Log = { debug() {}, info: keep, warn: keep, error: keep, child: () => log }
  return { log, messages }
}

function openLedger(log: Log = silentLog, clock: Pick<Clock, 'monotonic'> = systemClock): Ledger {
  return createLedger({ file, clock, log })
}

describe('newerWant', () => {
  it('never takes the local part backwards and always takes the shared part', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20), { minLength: 1 }), (generations) => {
        let known: HostWant | null = null
        let newest = -1
        for (const [index, generation] of generations.entries()) {
          known = newerWant(known, want(generation, `n-${index}`))
          newest = Math.max(newest, generation)
          expect(known.local.generation).toBe(newest)
          expect(known.shared.names[0]?.name).toBe(`n-${index}`)
        }
      }),
    )
  })
})

describe('a ledger', () => {
  it('knows nothing at first', async () => {
    expect(await openLedger().load()).toBeNull()
  })

  it('gives the next daemon what the last one accepted', async () => {
    await openLedger().accept(want(7, 'web'))
    const next = openLedger()
    expect(await next.load()).toEqual(want(7, 'web'))
    const merged = { local: want(7, 'web').local, shared: want(6, 'db').shared }
    expect(await next.accept(want(6, 'db'))).toEqual(merged)
    expect(await openLedger().load()).toEqual(merged)
  })

  it('is readable by its owner alone and leaves nothing beside itself', async () => {
    await openLedger().accept(want(1, 'web'))
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect(await readdir(join(directory, 'state'))).toEqual(['ledger.json'])
  })

  it('does not write what it has written', async () => {
    let nowMs = 0
    const ledger = openLedger(silentLog, { monotonic: () => (nowMs += 1000) })
    await ledger.accept(want(1, 'web'))
    const { ino } = await stat(file)
    await ledger.accept(want(1, 'web'))
    expect((await stat(file)).ino).toBe(ino)
    await ledger.accept(want(1, 'db'))
    expect((await stat(file)).ino).not.toBe(ino)
  })

  it('writes what only the many others changed now and then, and what is its own at once', async () => {
    let nowMs = 0
    const ledger = openLedger(silentLog, { monotonic: () => nowMs })
    const peers = Array.from({ length: 1000 }, (_, index) => ({
      host: some(parseHostName(`peer-${index}`)),
      address: ipv4('10.0.0.1'),
    }))
    const accept = async (generation: number, name: string) => {
      const { local, shared } = want(generation, name)
      await ledger.accept({ local, shared: { ...shared, peers } })
      return (await openLedger().load())?.shared.names[0]?.name
    }
    expect(await accept(1, 'web')).toBe('web')
    nowMs = 19_999
    expect(await accept(1, 'db')).toBe('web')
    expect(await accept(1, 'db')).toBe('web')
    nowMs = 20_000
    expect(await accept(1, 'db')).toBe('db')
    expect(await accept(2, 'mail')).toBe('mail')
  })

  it('returns the very want it knows when an equal one comes', async () => {
    const ledger = openLedger()
    const first = await ledger.accept(want(1, 'web'))
    expect(await ledger.accept(want(1, 'web'))).toBe(first)
    expect(await ledger.accept(want(1, 'db'))).not.toBe(first)
  })

  it('takes calls one after the other', async () => {
    const ledger = openLedger()
    await Promise.all([3, 1, 4, 2].map((generation) => ledger.accept(want(generation, 'web'))))
    expect((await openLedger().load())?.local.generation).toBe(4)
  })
})

describe('a damaged file', () => {
  it('is never half believed, wherever it is cut', async () => {
    await openLedger().accept(want(1, 'web'))
    const whole = await readFile(file)
    // All but the closing line feed matters.
    for (let length = 0; length < whole.length - 1; length += 1)
      expect(parseLedger(whole.subarray(0, length).toString('utf8'))).toBeNull()
    expect(parseLedger(whole.toString('utf8'))).toEqual(want(1, 'web'))
  })

  it.each([
    ['empty', ''],
    ['no JSON', '\0\0\0'],
    ['another format', JSON.stringify({ format: 2, want: want(1, 'web') })],
    [
      'a bad address',
      JSON.stringify({ format: 1, want: want(1, 'web') }).replace('172.31.0.7', '172.31.0.777'),
    ],
    ['a bad id', JSON.stringify({ format: 1, want: want(1, 'web') }).replace('eni-', '../-')],
    [
      'host bits',
      JSON.stringify({ format: 1, want: want(1, 'web') }).replace('172.31.0.0', '172.31.0.1'),
    ],
  ])('(%s) is set aside and reported', async (_what, text) => {
    await openLedger().accept(want(1, 'web'))
    await writeFile(file, text)
    const { log, messages } = keepingLog()
    const ledger = openLedger(log)
    expect(await ledger.load()).toBeNull()
    expect(messages).toEqual(['ledger is damaged and was set aside'])
    expect(await readFile(`${file}.damaged`, 'utf8')).toBe(text)
    await ledger.accept(want(2, 'web'))
    expect((await openLedger().load())?.local.generation).toBe(2)
  })
})

describe('a file of another version', () => {
  it('is read where the hosts of the fabric are not in it', () => {
    const older = { ...want(1, 'web').shared, peers: undefined }
    const text = JSON.stringify({ format: 1, want: { ...want(1, 'web'), shared: older } })
    expect(parseLedger(text)?.shared).toEqual({ ...older, peers: [] })
  })

  it('is read where there is more in it', () => {
    const newer = { ...want(1, 'web').shared, later: true }
    const text = JSON.stringify({ format: 1, want: { ...want(1, 'web'), shared: newer } })
    expect(parseLedger(text)).toEqual(want(1, 'web'))
  })
})

describe('a disk that refuses', () => {
  it('does not stop the host, and is written to as soon as it takes it', async () => {
    await rmdir(join(directory, 'state'))
    await writeFile(join(directory, 'state'), 'a file where the directory should be')
    const { log, messages } = keepingLog()
    const ledger = createLedger({
      file: join(directory, 'state', 'ledger.json'),
      clock: systemClock,
      log,
    })
    expect(await ledger.accept(want(1, 'web'))).toEqual(want(1, 'web'))
    expect(await ledger.load()).toEqual(want(1, 'web'))
    expect(messages).toContain(
      'could not write the ledger; after a reboot the host would start from an older one',
    )
    await rm(join(directory, 'state'))
    await mkdir(join(directory, 'state'))
    await ledger.accept(want(1, 'web'))
    expect((await openLedger().load())?.local.generation).toBe(1)
  })

  it('keeps the old want whole when the new one cannot be written', async () => {
    await openLedger().accept(want(1, 'web'))
    const { log, messages } = keepingLog()
    const ledger = openLedger(log)
    await ledger.load()
    // A directory stands where the new file would be written.
    await mkdir(`${file}.new/x`, { recursive: true })
    await ledger.accept(want(2, 'web'))
    expect(messages).toHaveLength(1)
    expect((await openLedger().load())?.local.generation).toBe(1)
    await rm(`${file}.new`, { recursive: true })
    await ledger.accept(want(2, 'web'))
    expect((await openLedger().load())?.local.generation).toBe(2)
  })
})
