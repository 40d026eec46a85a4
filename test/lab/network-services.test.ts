/**
 * DNS names, and the addresses of the resolver, as instances and their operator see them: one host,
 * with a subnet that is not the first of its VPC.
 */
import { StartInstancesCommand, StopInstancesCommand } from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { METADATA_ADDRESS, RESOLVER_ADDRESS } from '../../src/model/addr.ts'
import { type Cloud, createCloud, execute, HOST_ADDRESS } from '../../tools/kit/cloud.ts'
import { type InstanceCalls, instanceCalls } from '../../tools/kit/instance-calls.ts'
import { eventually } from '../../tools/kit/netns.ts'

const DEADLINE_MS = 60_000
const ZONE = 'atoll.internal'
const VPC_RESOLVER = '172.31.0.2'
const RESOLVERS = [VPC_RESOLVER, '172.31.16.1', '172.31.16.2', RESOLVER_ADDRESS]
const DIG = ['dig', '+time=20', '+tries=1', '+noedns']

let cloud: Cloud
let ask: InstanceCalls
/** Two that share a name, and one that has its own. */
let ids: readonly string[] = []
let addresses: readonly string[] = []
let inFirst: readonly string[] = []

beforeAll(async () => {
  cloud = await createCloud('names', 'network: {vpc: 172.31.0.0/16, subnet: 172.31.16.0/20}\n')
  ask = instanceCalls(cloud.ec2, DEADLINE_MS)
  const image = await ask.register('static', 'docker://atoll-sample:static')
  const launched = await Promise.all(
    ['web', 'web', 'solo'].map((name) => {
      const tag = { ResourceType: 'instance' as const, Tags: [{ Key: 'Name', Value: name }] }
      return ask.launch(image, { TagSpecifications: [tag] })
    }),
  )
  ids = launched.flat()
  await Promise.all(ids.map((id) => ask.untilState(id, 'running')))
  addresses = await Promise.all(ids.map(async (id) => (await ask.look(id)).PrivateIpAddress ?? ''))
  const inspect = ['inspect', '-f', '{{.State.Pid}}', `atoll-${ids[0]}`]
  const docker = ['--host', `unix://${cloud.docker.socketPath}`, ...inspect]
  const { stdout: pid } = await execute('/usr/bin/docker', docker)
  inFirst = ['nsenter', `--net=/proc/${pid.trim()}/ns/net`]
  for (const [name, count] of [
    ['solo', 1],
    ['web', 2],
  ] as const) {
    const isNamed = async () => (await resolved(`${name}.${ZONE}`)).found.length === count
    await eventually(`${name} is known`, isNamed, DEADLINE_MS)
  }
})
afterAll(async () => {
  await cloud?.destroy()
})

/**
 * The status of an answer that the first instance gets at its VPC's resolver, and the addresses in
 * it.
 */
async function resolved(name: string, type = 'A') {
  const argv = [...inFirst, ...DIG, `@${VPC_RESOLVER}`, name, type]
  const { stdout } = await cloud.netns.run(argv)
  const found = [...stdout.matchAll(/\sIN\s+(?:A|PTR)\s+(\S+)$/gm)].map(([, value]) => value)
  return { status: /status: (\w+)/.exec(stdout)?.[1], found: found.toSorted() }
}

describe('DNS is answered', () => {
  it.each(RESOLVERS)('at %s, by UDP and TCP, for an instance and for the host', async (server) => {
    for (const from of [inFirst, []])
      for (const way of ['+notcp', '+tcp']) {
        const dig = [...from, ...DIG, way, '+short', `@${server}`, `solo.${ZONE}`]
        expect((await cloud.netns.must(dig)).trim(), `${way} ${from[0]}`).toBe(addresses[2])
      }
  })

  it('nowhere for a machine outside', async () => {
    await cloud.outside.must(['ip', 'route', 'replace', '172.31.0.0/16', 'via', HOST_ADDRESS])
    for (const server of RESOLVERS.slice(0, 3)) {
      const dig = ['dig', '+time=1', '+tries=1', `@${server}`, `solo.${ZONE}`]
      expect((await cloud.outside.run(dig)).exitCode, server).not.toBe(0)
    }
  })

  it('by nobody else: no instance answers as a resolver', async () => {
    // It asks by ARP first, in the same name.
    const spoofed = async () => {
      const rules = await cloud.netns.must(['nft', 'list', 'ruleset'])
      const counted = rules.matchAll(/counter dropped_(?:spoofed|arp) \{\s+packets (\d+)/g)
      return [...counted].reduce((sum, [, packets]) => sum + Number(packets), 0)
    }
    const before = await spoofed()
    await cloud.netns.must([...inFirst, 'ip', 'addr', 'add', `${VPC_RESOLVER}/32`, 'dev', 'eth0'])
    const ping = ['ping', '-c1', '-W1', '-I', VPC_RESOLVER, addresses[2] ?? '']
    expect((await cloud.netns.run([...inFirst, ...ping])).exitCode).not.toBe(0)
    await cloud.netns.must([...inFirst, 'ip', 'addr', 'del', `${VPC_RESOLVER}/32`, 'dev', 'eth0'])
    expect(await spoofed()).toBeGreaterThan(before)
  })

  it('and no other service is there', async () => {
    const get = (host: string) => [...inFirst, 'curl', '-s', '-m', '10', `http://${host}/latest/`]
    expect((await cloud.netns.run(get(METADATA_ADDRESS))).exitCode).toBe(0)
    expect((await cloud.netns.run(get(VPC_RESOLVER))).exitCode).not.toBe(0)
  })
})

describe('a Name tag', () => {
  const asked = () => resolved(`web.${ZONE}`)

  it('resolves to those that run; a stopped one has its own name and its reverse name, too', async () => {
    expect(await asked()).toEqual({ status: 'NOERROR', found: addresses.slice(0, 2).toSorted() })
    await cloud.ec2.send(new StopInstancesCommand({ InstanceIds: [ids[1] ?? ''] }))
    await ask.untilState(ids[1] ?? '', 'stopped')
    await eventually('one is left', async () => (await asked()).found.length === 1, DEADLINE_MS)
    expect((await asked()).found).toEqual([addresses[0]])
    expect((await resolved(`${ids[1]}.${ZONE}`)).found).toEqual([addresses[1]])
    const reverse = `${(addresses[1] ?? '').split('.').reverse().join('.')}.in-addr.arpa`
    expect((await resolved(reverse, 'PTR')).found).toEqual([`${ids[1]}.${ZONE}.`])
  })

  it('answers again once it runs again', async () => {
    await cloud.ec2.send(new StartInstancesCommand({ InstanceIds: [ids[1] ?? ''] }))
    await ask.untilState(ids[1] ?? '', 'running')
    await eventually('both', async () => (await asked()).found.length === 2, DEADLINE_MS)
  })

  it('that no running instance has does not exist', async () => {
    await cloud.ec2.send(new StopInstancesCommand({ InstanceIds: [ids[2] ?? ''] }))
    const solo = async () => (await resolved(`solo.${ZONE}`)).status
    await eventually('it is gone', async () => (await solo()) === 'NXDOMAIN', DEADLINE_MS)
    await ask.untilState(ids[2] ?? '', 'stopped')
    expect(await solo()).toBe('NXDOMAIN')
  })
})
