/**
 * The tools of AWS itself, against one cloud: boto3 and the AWS CLI as Debian packages them, and
 * the AWS SDK for JavaScript. All waiters, paginators and filters of the actions that are answered.
 */
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import * as ec2 from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { z } from 'zod'
import { allActions } from '../../src/api/actions/all.ts'
import { alwaysEmptyActions } from '../../src/api/actions/always-empty.ts'
import { placeTinyGuest, tinyGuest } from '../../tools/kit/tiny-guest.ts'
import { type ClientCloud, openClientCloud } from '../kit/client-cloud.ts'
import { debianVersion, type Outcome, reportOf } from '../kit/compatibility.ts'
import { waitersOf } from '../kit/sdk-waiters.ts'

const PYTHON = '/usr/bin/python3'
const PROGRAMS = join(import.meta.dirname, 'python')
const CONTRACTS = resolve(import.meta.dirname, '../contract/api/boto3')
const LONG_MS = 900_000
/** Above what the programs make. */
const QUOTAS = 'api: {quotas: {natGatewaysPerZone: 100, addresses: 40}}\n'

const names = allActions.map(({ name }) => name)
const empty = new Set<string>(alwaysEmptyActions.map(({ name }) => name))

let at: ClientCloud
/** The image of a virtual machine: containers have no volumes to wait for. */
let machine: string
beforeAll(async () => {
  // It is fetched where there is a network.
  await tinyGuest()
  at = await openClientCloud('sdks', `${QUOTAS}qemu: {accel: tcg, stopSeconds: 5}\n`)
  const { location } = await placeTinyGuest(join(at.cloud.dir, 'state/images'))
  machine = await at.calls.register('machine', location)
})
afterAll(() => at?.[Symbol.asyncDispose]())

const python = (program: string, ...args: readonly string[]) =>
  at.ask(PYTHON, ['-B', program, at.cloud.credentials.endpoint, ...args])

/** Fails with all that went wrong. */
function expectAll(rows: readonly Outcome[]): void {
  expect(rows.filter(([, said]) => said !== null)).toEqual([])
}

describe('boto3', () => {
  const report = reportOf(
    'boto3',
    () => debianVersion('python3-boto3'),
    'Every waiter, every paginator with pages of five items, and every filter that botocore documents, of all actions that Atoll answers.',
  )

  report.passes(
    'waiters',
    async () => {
      const said = z
        .object({
          rows: z.array(z.tuple([z.string(), z.string().nullable()])),
          unanswered: z.array(z.tuple([z.string(), z.string()])),
          untried: z.array(z.string()),
        })
        .parse(await python(join(PROGRAMS, 'waiters.py'), machine, ...names))
      report.add(said.rows.map(([name, why]) => ({ what: `waiter ${name}`, said: why })))
      for (const [name, action] of said.unanswered)
        report.excludes(`waiter ${name}`, `${action} is not answered`)
      for (const name of said.untried) report.excludes(`waiter ${name}`, UNTRIED)
      expectAll(said.rows)
    },
    LONG_MS,
  )

  report.passes(
    'paginators',
    async () => {
      const rows = z
        .array(z.tuple([z.string(), z.number(), z.number(), z.string().nullable()]))
        .parse(await python(join(PROGRAMS, 'paginators.py'), at.image, ...names))
      const shown = rows.filter(([action]) => !empty.has(action))
      report.add(
        shown.map(([action, items, pages, said]) => ({
          what: `paginator of ${action}: ${items} items on ${pages} pages`,
          said,
        })),
      )
      expectAll(rows.map(([action, , , said]) => [action, said]))
    },
    LONG_MS,
  )

  report.passes(
    'filters',
    async () => {
      const said = z
        .object({
          byAction: z.record(z.string(), z.number()),
          refused: z.array(z.tuple([z.string(), z.string(), z.string()])),
          ineffective: z.array(z.tuple([z.string(), z.string()])),
        })
        .parse(await python(join(CONTRACTS, 'filters.py'), ...names))
      const wrong = [...said.refused, ...said.ineffective]
      report.add(
        Object.entries(said.byAction)
          .filter(([action]) => !empty.has(action))
          .map(([action, count]) => ({
            what: `filters of ${action}: ${count}`,
            said: wrong.find(([of]) => of === action)?.join(' ') ?? null,
          })),
      )
      expect(wrong).toEqual([])
    },
    LONG_MS,
  )
})

const UNTRIED = 'nothing in Atoll comes to that state'

describe('the AWS CLI', () => {
  const report = reportOf(
    'AWS CLI',
    () => debianVersion('awscli'),
    'Stories of its commands `ec2`, `sts` and `iam`; `{…}` is what an earlier command printed.',
  )

  report.passes(
    'stories',
    async () => {
      const file = await readFile(join(import.meta.dirname, 'awscli.txt'), 'utf8')
      const rows = await tellStory(file)
      report.add(rows.map(([what, said]) => ({ what, said })))
      expectAll(rows)
    },
    LONG_MS,
  )
})

/**
 * Runs the lines of a file: `name = arguments` keeps what is printed as `{name}`, `arguments ->
 * text` expects it, and `arguments !! Code` expects a refusal.
 */
async function tellStory(file: string): Promise<readonly Outcome[]> {
  const known = new Map([['image', at.image]])
  const rows: Outcome[] = []
  for (const line of file.split('\n').filter((one) => one !== '' && !one.startsWith('#'))) {
    const [, name, rest = ''] = /^(?:(\w+) = )?(.*)$/.exec(line) ?? []
    const [, command = '', kind, expected = ''] = /^(.*?)(?: (->|!!) (.*))?$/.exec(rest) ?? []
    const fill = (text: string) =>
      text.replaceAll(/\{(\w+)\}/g, (_, key: string) => known.get(key) ?? `{${key}}`)
    const words = [...fill(command).matchAll(/'([^']*)'|(\S+)/g)].map(([, a, b]) => a ?? b ?? '')
    const endpoint = ['--endpoint-url', at.cloud.credentials.endpoint]
    const ran = await at.run('/usr/bin/aws', [...endpoint, ...words])
    const said = ran.stdout.trim()
    if (name !== undefined) known.set(name, said)
    rows.push([rest, whatIsWrong(ran.exitCode, said, ran.stderr, kind, fill(expected))])
  }
  return rows
}

function whatIsWrong(
  exitCode: number,
  stdout: string,
  stderr: string,
  kind: string | undefined,
  expected: string,
): string | null {
  if (kind === '!!') return stderr.includes(`(${expected})`) ? null : `${exitCode}: ${stderr}`
  if (exitCode !== 0) return stderr
  const text = stdout.replaceAll(/\s+/g, ' ')
  return kind === undefined || text === expected ? null : `it printed ${text}`
}

describe('the AWS SDK for JavaScript', () => {
  const report = reportOf(
    'AWS SDK for JavaScript v3',
    async () => '3.1169.0 (npm)',
    'Every waiter and every paginator of all actions that Atoll answers. Its serialisers and parsers are run in both directions for every shape of every action in `test/unit/api/wire`.',
  )

  report.passes(
    'waiters',
    async () => {
      const said = await waitersOf(at.cloud.ec2, machine, names)
      report.add(said.rows.map(([name, why]) => ({ what: name, said: why })))
      for (const [name, why] of said.untried) report.excludes(name, why ?? UNTRIED)
      expectAll(said.rows)
    },
    LONG_MS,
  )

  report.passes(
    'paginators',
    async () => {
      const rows: Outcome[] = []
      for (const [name, paginate] of Object.entries(ec2))
        if (isPaginator(name, paginate) && names.some((one) => `paginate${one}` === name))
          rows.push(await pageThrough(name, paginate))
      const shown = rows.filter(([name]) => !empty.has(name.replace(/^paginate|:.*/g, '')))
      report.add(shown.map(([what, said]) => ({ what, said })))
      expectAll(rows)
    },
    LONG_MS,
  )
})

type Paginate = (
  settings: { client: ec2.EC2Client; pageSize?: number },
  input: object,
) => AsyncIterable<Readonly<Record<string, unknown>>>

function isPaginator(name: string, value: unknown): value is Paginate {
  return name.startsWith('paginate') && typeof value === 'function'
}

/** What a listing must name. */
async function neededBy(action: string): Promise<object> {
  const vpcs = await at.cloud.ec2.send(new ec2.DescribeVpcsCommand())
  const VpcId = vpcs.Vpcs?.[0]?.VpcId
  const PrefixListId = /PrefixList(?:Entries|Associations)/.test(action)
    ? await newList()
    : undefined
  const needed: Readonly<Record<string, object>> = {
    DescribeLaunchTemplateVersions: { Versions: ['$Latest'] },
    DescribeStaleSecurityGroups: { VpcId },
    GetManagedPrefixListAssociations: { PrefixListId },
    GetManagedPrefixListEntries: { PrefixListId },
    GetSecurityGroupsForVpc: { VpcId },
  }
  return needed[action] ?? {}
}

/** A prefix list with some entries. */
async function newList(): Promise<string | undefined> {
  const Entries = [...'1234567'].map((number) => ({ Cidr: `10.${number}.0.0/16` }))
  const of = { PrefixListName: 'paged', AddressFamily: 'IPv4', MaxEntries: 7 }
  const { PrefixList } = await at.cloud.ec2.send(
    new ec2.CreateManagedPrefixListCommand({ ...of, Entries }),
  )
  return PrefixList?.PrefixListId
}

/** A reservation may be on two pages, each with some of its instances. */
function sizeOf(list: readonly unknown[]): number {
  const instances = list.map((one) => (one as { Instances?: readonly unknown[] }).Instances)
  return instances.reduce<number>((sum, own) => sum + (own?.length ?? 1), 0)
}

async function pageThrough(name: string, paginate: Paginate): Promise<Outcome> {
  const action = name.replace('paginate', '')
  const input = await neededBy(action)
  const counted = async (size: { readonly pageSize?: number }) => {
    let items = 0
    let pages = 0
    for await (const page of paginate({ client: at.cloud.ec2, ...size }, { ...input })) {
      pages += 1
      for (const value of Object.values(page)) if (Array.isArray(value)) items += sizeOf(value)
    }
    return { items, pages }
  }
  try {
    const few = await counted({ pageSize: 5 })
    const many = await counted({})
    const row = `${name}: ${few.items} items on ${few.pages} pages`
    if (few.items !== many.items) return [row, `on larger pages there are ${many.items}`]
    return [row, few.items > 5 && few.pages < 2 ? 'it has one page' : null]
  } catch (error) {
    return [name, String(error)]
  }
}
