/**
 * Somebody takes the network of a running instance: deletes, renames, moves or sets down either end
 * of a link, of any NIC, in the machine's own namespace or a VPC's. Each answers again in a moment,
 * with all that it had, and no pass helps: none is due for minutes. Neither the engine nor the
 * daemon is needed meanwhile.
 */
import { readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import {
  CreateSubnetCommand,
  CreateVpcCommand,
  type InstanceNetworkInterfaceSpecification,
} from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseId } from '../../src/model/ids.ts'
import { nicLinkName } from '../../src/model/names.ts'
import { type Cloud, createCloud } from '../../tools/kit/cloud.ts'
import { type InstanceCalls, instanceCalls } from '../../tools/kit/instance-calls.ts'
import { createNetns, eventually, type Netns } from '../../tools/kit/netns.ts'
import { isLong } from '../long-files.ts'

const DEADLINE_MS = 60_000
/**
 * It takes a fraction of a second on an idle machine. Without the repair it is two minutes, and for
 * a DHCP client half its lease.
 */
const ANSWERS_MS = 20_000
/** So long that nothing is found by chance. */
const SELDOM = 'agent: {intervalSeconds: 300, resyncSeconds: 3600}\n'

/** A NIC of an instance, and how to get at both of its ends. */
interface Nic {
  readonly address: string
  readonly link: string
  /** Before a command in the namespace of the host end, and in the guest's. */
  readonly home: readonly string[]
  readonly guest: readonly string[]
  readonly name: string
}

let cloud: Cloud
let calls: InstanceCalls
let elsewhere: Netns
let ids: readonly string[] = []
const nics = new Map<string, Nic>()

beforeAll(async () => {
  cloud = await createCloud('lost-links', SELDOM)
  calls = instanceCalls(cloud.ec2, DEADLINE_MS)
  elsewhere = await createNetns('elsewhere')
  const plain = await calls.register('plain', 'docker://atoll-sample:static')
  const dhcp = await calls.register('dhcp', 'docker://atoll-sample:latest')
  const { Vpc } = await cloud.ec2.send(new CreateVpcCommand({ CidrBlock: '10.0.0.0/16' }))
  const made = await cloud.ec2.send(
    new CreateSubnetCommand({ VpcId: Vpc?.VpcId, CidrBlock: '10.0.0.0/24' }),
  )
  const inVpc = made.Subnet?.SubnetId
  const [one = ''] = await calls.launch(plain)
  await calls.untilState(one, 'running')
  const { SubnetId: own } = await calls.look(one)
  const launched = await Promise.all([
    calls.launch(plain, { NetworkInterfaces: twoIn(own) }),
    calls.launch(dhcp),
    calls.launch(plain, { NetworkInterfaces: twoIn(inVpc) }),
  ])
  const [root = '', asking = '', far = ''] = launched.flat()
  ids = [one, root, asking, far]
  for (const id of [root, asking, far]) await calls.untilState(id, 'running')
  const namespaces = await readdir(join(cloud.dir, 'run/netns'))
  const vpc = ['nsenter', `--net=${join(cloud.dir, 'run/netns', namespaces[0] ?? '')}`, '--']
  for (const [what, id, home] of [
    ['a container', root, []],
    ['a container with a DHCP client', asking, []],
    ['a container of a VPC', far, vpc],
  ] as const)
    for (const [at, nic] of (await nicsOf(id, home)).entries())
      nics.set(at === 0 ? what : `${what}, its second NIC`, nic)
  for (const [what, nic] of nics)
    await eventually(`${what} answers`, () => answers(nic), DEADLINE_MS)
}, 3 * DEADLINE_MS)
afterAll(async () => {
  // The name of the VPC's namespace goes with its last instance.
  if (ids.length > 0) {
    await calls.terminate(...ids)
    const isGone = async () => (await readdir(join(cloud.dir, 'run/netns'))).length === 0
    await eventually('the namespace is gone', isGone, DEADLINE_MS)
  }
  await elsewhere?.destroy()
  await cloud?.destroy()
})

function twoIn(SubnetId: string | undefined): InstanceNetworkInterfaceSpecification[] {
  return [0, 1].map((DeviceIndex) => ({ DeviceIndex, ...(SubnetId ? { SubnetId } : {}) }))
}

async function nicsOf(id: string, home: readonly string[]): Promise<readonly Nic[]> {
  const { State } = await cloud.docker.docker.getContainer(`atoll-${id}`).inspect()
  const guest = ['nsenter', `--net=/proc/${State.Pid}/ns/net`, '--']
  const { NetworkInterfaces = [] } = await calls.look(id)
  return NetworkInterfaces.toSorted(
    (a, b) => (a.Attachment?.DeviceIndex ?? 0) - (b.Attachment?.DeviceIndex ?? 0),
  ).map(({ NetworkInterfaceId = '', PrivateIpAddress = '', Attachment }) => {
    const eni = parseId('eni', NetworkInterfaceId)
    if (eni === undefined) throw new Error(`no id: ${NetworkInterfaceId}`)
    const name = `eth${Attachment?.DeviceIndex}`
    return { address: PrivateIpAddress, link: nicLinkName(eni), home, guest, name }
  })
}

async function answers({ home, address }: Nic): Promise<boolean> {
  const ping = [...home, 'ping', '-c', '1', '-W', '0.3', address]
  return (await cloud.netns.run(ping)).exitCode === 0
}

/** What the guest has of it, without what another start or another client says otherwise. */
async function seen({ guest, name }: Nic): Promise<string> {
  const show = `ip -o link show ${name} | grep -o 'mtu [0-9]*\\|ether .* brd'; ip -o -4 addr show ${name}; ip route; ip rule; ip route show table 101 || true`
  const text = await cloud.netns.must([...guest, 'sh', '-c', show])
  return text
    .replaceAll(/@if\d+| proto \w+| brd [\d.]+|^\d+: (?=eth)/gm, '')
    .replaceAll(/ +/g, ' ')
    .split('\n')
    .toSorted()
    .join('\n')
}

const DAMAGES: Readonly<Record<string, (nic: Nic) => readonly string[]>> = {
  'the host end is deleted': ({ home, link }) => [...home, 'ip', 'link', 'delete', link],
  'the guest end is deleted': ({ guest, name }) => [...guest, 'ip', 'link', 'delete', name],
  'the guest end is set down': ({ guest, name }) => [...guest, 'ip', 'link', 'set', name, 'down'],
  'the guest end is renamed': ({ guest, name }) => [
    ...guest,
    ...['sh', '-ec', `ip link set ${name} down; ip link set ${name} name ens9`],
  ],
  'the guest end is moved away': ({ guest, name }) => [
    ...guest,
    ...['ip', 'link', 'set', name, 'netns', `${elsewhere.pid}`],
  ],
  'the host end is renamed': ({ home, link }) => [
    ...home,
    ...['sh', '-ec', `ip link set ${link} down; ip link set ${link} name lost0`],
  ],
  'the host end is moved away': ({ home, link }) => [
    ...home,
    ...['ip', 'link', 'set', link, 'netns', `${elsewhere.pid}`],
  ],
  'the host end is set down': ({ home, link }) => [...home, 'ip', 'link', 'set', link, 'down'],
}

const ASKING = 'a container with a DHCP client'
const GUESTS = [
  'a container',
  'a container, its second NIC',
  ASKING,
  'a container of a VPC',
  'a container of a VPC, its second NIC',
]
/** What the short mode has of the others than the first. */
const SOME = ['the host end is deleted', 'the guest end is moved away']
/** Which a guest may do that sets its NIC up itself. */
const ITS_OWN = ['the guest end is set down', 'the guest end is renamed']

async function nicOf(what: string): Promise<Nic> {
  const nic = nics.get(what)
  if (nic === undefined) throw new Error(`there is no ${what}`)
  return nic
}

/** Milliseconds until it answers again, with everything that it had. */
async function mended(nic: Nic, damage: () => Promise<unknown>): Promise<number> {
  const before = await seen(nic)
  await damage()
  const began = performance.now()
  await eventually('it answers again', () => answers(nic), DEADLINE_MS)
  const ms = performance.now() - began
  await eventually('it has all again', async () => (await seen(nic)) === before, ANSWERS_MS).catch(
    async (cause: unknown) => {
      throw new Error(`before:\n${before}\nnow:\n${await seen(nic)}`, { cause })
    },
  )
  return ms
}

describe.each(GUESTS)('%s answers again', (what) => {
  const others = isLong ? Object.keys(DAMAGES) : SOME
  const all = what === 'a container' ? Object.keys(DAMAGES) : others
  const kinds = all.filter((name) => what !== ASKING || !ITS_OWN.includes(name))
  it.each(kinds)('when %s', async (name) => {
    const nic = await nicOf(what)
    const damage = DAMAGES[name]?.(nic) ?? []
    expect(await mended(nic, () => cloud.netns.must(damage))).toBeLessThan(ANSWERS_MS)
  })
})

it('a guest that sets its NIC up itself is not disturbed', async () => {
  const nic = await nicOf(ASKING)
  const before = await seen(nic)
  const rename = 'ip link set eth0 down; ip link set eth0 name lan0; ip link set lan0 up'
  const back = 'ip link set lan0 down; ip link set lan0 name eth0; ip link set eth0 up'
  const route = (await cloud.netns.must([...nic.guest, 'ip', 'route', 'show', 'default'])).trim()
  for (let n = 0; n < 5; n += 1) {
    const script = `${rename}; sleep 0.2; ${back}; ip route replace ${route}`
    await cloud.netns.must([...nic.guest, 'sh', '-ec', script])
  }
  expect(await seen(nic)).toBe(before)
  await eventually('it answers', () => answers(nic), ANSWERS_MS)
})

describe.each(isLong ? ['a container of a VPC', ASKING] : [ASKING])('%s answers again', (what) => {
  it('while its engine hangs', async () => {
    const nic = await nicOf(what)
    const file = join(dirname(cloud.docker.socketPath), 'pid')
    const engine = Number(await readFile(file, 'utf8'))
    process.kill(engine, 'SIGSTOP')
    try {
      const remove = [...nic.home, 'ip', 'link', 'delete', nic.link]
      expect(await mended(nic, () => cloud.netns.must(remove))).toBeLessThan(ANSWERS_MS)
    } finally {
      process.kill(engine, 'SIGCONT')
    }
  })

  it('once the daemon is back that was killed before', async () => {
    const nic = await nicOf(what)
    const damage = async () => {
      await cloud.stop('SIGKILL')
      await cloud.netns.must([...nic.home, 'ip', 'link', 'delete', nic.link])
      await cloud.start()
    }
    expect(await mended(nic, damage)).toBeLessThan(ANSWERS_MS)
  })
})

describe('the namespace of a VPC', () => {
  it.skipIf(!isLong)(
    'is made again, with all that was in it, when it went while no daemon ran',
    async () => {
      const nic = await nicOf('a container of a VPC')
      const [, file = ''] = /--net=(.*)/.exec(nic.home[1] ?? '') ?? []
      await cloud.stop('SIGKILL')
      await cloud.netns.must(['sh', '-ec', `umount -l ${file}; rm ${file}`])
      // The kernel ends it some time later.
      const isGone = async () =>
        (await cloud.netns.run([...nic.guest, 'ip', 'link', 'show', nic.name])).exitCode !== 0
      await eventually('its link is gone', isGone, DEADLINE_MS)
      await cloud.start()
      await eventually('it answers', () => answers(nic), DEADLINE_MS)
    },
  )

  it.each([
    ['its link to the machine is deleted', 'ip link delete at-world', /at-world/],
    ['its gateways are deleted', 'ip link delete at-gw', /at-gw/],
    ['its routes are flushed', 'ip route flush proto 167', /proto 167/],
    ['its rules are flushed', 'nft flush ruleset', null],
  ] as const)('is whole again when %s', async (_what, damage, shows) => {
    const nic = await nicOf('a container of a VPC')
    const look = async () => {
      const text = await cloud.netns.must([
        ...nic.home,
        ...['sh', '-c', 'ip -br link; ip route; nft list tables'],
      ])
      return text
        .replaceAll(/@if\d+|[0-9a-f:]{17}/g, '')
        .split('\n')
        .toSorted()
        .join('\n')
    }
    const before = await look()
    if (shows !== null) expect(before).toMatch(shows)
    await cloud.netns.must([...nic.home, 'sh', '-ec', damage])
    await eventually('it is whole', async () => (await look()) === before, ANSWERS_MS)
    await eventually('it answers', () => answers(nic), ANSWERS_MS)
  })
})
